package tasks

import (
	"fmt"
	"os"
	"path"
	"slices"

	"revela/evaluate"
)

const readmeFile = "README.md"

// parts are the files of a task in its repository, and what their fields are called.
type parts struct {
	corpus, queries, qrels []string
	fields                 evaluate.Fields
}

// all lists the files.
func (p parts) all() []string { return slices.Concat(p.corpus, p.queries, p.qrels) }

// source makes a source of the files below a folder.
func (p parts) source(dir string) evaluate.Source {
	below := func(files []string) []string {
		paths := make([]string, len(files))
		for i, f := range files {
			paths[i] = path.Join(dir, f)
		}
		return paths
	}
	return evaluate.Source{Corpus: below(p.corpus), Queries: below(p.queries), Qrels: below(p.qrels), Fields: p.fields, Tolerant: true}
}

// find finds a task's files among those of a repository; read gives a file's path on this machine.
func (t *Task) find(files []string, read func(file string) (localPath string, err error)) (parts, error) {
	f := finder{files: files}
	if slices.Contains(files, readmeFile) {
		local, err := read(readmeFile)
		if err != nil {
			return parts{}, err
		}
		readme, err := os.ReadFile(local)
		if err != nil {
			return parts{}, err
		}
		if f.configurations, err = readConfigurations(readme); err != nil {
			return parts{}, err
		}
	}
	if t.Layout == BEIR {
		return t.findBEIR(f)
	}
	return t.findBRIGHT(f)
}

// finder finds the files of a configuration: as README.md says, else by the names that data sets commonly have.
type finder struct {
	files          []string
	configurations configurations
}

// has reports whether README.md names a configuration.
func (f finder) has(config string) bool { _, ok := f.configurations[config]; return ok }

func (f finder) config(config, split string, common ...string) ([]string, error) {
	patterns := common
	if f.configurations != nil {
		var err error
		if patterns, err = f.configurations.patterns(config, split); err != nil {
			return nil, err
		}
	}
	for _, pattern := range patterns {
		if f.configurations == nil { // the first convention that fits
			if found := match(f.files, []string{pattern}); len(found) > 0 {
				return found, nil
			}
		}
	}
	found := match(f.files, patterns)
	if len(found) == 0 {
		return nil, fmt.Errorf("no JSON Lines or Parquet files for configuration %s, split %s (%v)", config, split, patterns)
	}
	return found, nil
}

// findBEIR finds what mteb's loader takes: configurations corpus, queries and, for judgements, default or qrels; with a
// subset <subset>-corpus, <subset>-queries and <subset>-qrels.
func (t *Task) findBEIR(f finder) (p parts, err error) {
	prefix, qrels := "", "default"
	if t.Subset != "" {
		prefix = t.Subset + "-"
	}
	if t.Subset != "" || f.configurations != nil && !f.has("default") {
		qrels = prefix + "qrels"
	}
	for _, part := range []struct {
		files  *[]string
		config string
		common []string
	}{
		{&p.corpus, prefix + "corpus", common(prefix+"corpus", "corpus")},
		{&p.queries, prefix + "queries", common(prefix+"queries", "queries")},
		{&p.qrels, qrels, append([]string{prefix + "qrels/" + t.Split + ".{tsv,jsonl}{,.gz,.zst}", "data/" + t.Split + "-*.parquet",
			prefix + "qrels.{tsv,jsonl}{,.gz,.zst}"}, common(qrels, t.Split)...)},
	} {
		split := t.Split
		if split == "" {
			split = part.config
		}
		if *part.files, err = f.config(part.config, split, part.common...); err != nil {
			return parts{}, err
		}
	}
	return p, nil
}

// findBRIGHT finds what BRIGHT's own loader takes: examples with the ids of their documents, and documents.
func (t *Task) findBRIGHT(f finder) (p parts, err error) {
	documents, gold := "documents", "gold_ids"
	if t.Layout == BRIGHTLong {
		documents, gold = "long_documents", "gold_ids_long"
	}
	if p.corpus, err = f.config(documents, t.Domain, common(documents, t.Domain)...); err != nil {
		return parts{}, err
	}
	if p.queries, err = f.config("examples", t.Domain, common("examples", t.Domain)...); err != nil {
		return parts{}, err
	}
	p.fields = evaluate.Fields{ID: "id", Text: "content", Query: "query", Relevant: gold, Excluded: "excluded_ids", NoExcluded: "N/A"}
	return p, nil
}

// common are the names that the files of a configuration's split commonly have.
func common(config, split string) []string {
	return []string{
		config + "/" + split + "{,-*-of-*}.parquet", config + "/" + split + "*.jsonl{,.gz,.zst}",
		config + ".jsonl{,.gz,.zst}", config + ".parquet",
	}
}
