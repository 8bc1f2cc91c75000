// Package hub lets data sets of the HuggingFace hub be named where files are expected:
//
//	hf://datasets/ORG/NAME[@REVISION][/PATTERN]   as pandas, DuckDB and huggingface_hub write it
//	ORG/NAME[@REVISION]                           where no file or folder of this name, or of ORG's, is there
//
// Files are fetched into the hub's cache at a branch, tag or commit; what is there already is not fetched again, and a commit not
// asked for. Without a pattern they are those of the split train where file names tell splits, and of a retrieval collection its
// documents.
package hub

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"revela/data/source"
	"revela/model/checkpoint"
)

// Scheme begins the address of a data set.
const Scheme = "hf://"

// Groups replaces the data sets among paths by their files of groups, JSON Lines and Parquet; other paths stay. A nil resolver
// is the default.
func Groups(ctx context.Context, r *checkpoint.Resolver, paths []string) ([]string, error) {
	return files(ctx, r, paths, func(file string, _ bool) bool {
		switch path.Ext(source.TrimCompression(file)) {
		case ".jsonl", ".json", ".ndjson", ".parquet":
			return true
		}
		return false
	})
}

// Documents replaces the data sets among paths by their files of documents: those with a document a record, with a pattern all
// that prepare reads.
func Documents(ctx context.Context, r *checkpoint.Resolver, paths []string) ([]string, error) {
	return files(ctx, r, paths, func(file string, named bool) bool {
		format, ok := source.FormatOf(file)
		return ok && (named || !format.Whole())
	})
}

// files replaces data sets by their readable files; named tells whether the address has a pattern.
func files(ctx context.Context, r *checkpoint.Resolver, paths []string, readable func(file string, named bool) bool) ([]string, error) {
	if r == nil {
		r = &checkpoint.Resolver{}
	}
	var all []string
	for _, path := range paths {
		d, found, err := parse(path)
		if err != nil {
			return nil, err
		}
		if !found {
			all = append(all, path)
			continue
		}
		d.readable = func(file string) bool { return readable(file, d.pattern != "") }
		own, err := d.fetch(ctx, r)
		if err != nil {
			if !strings.HasPrefix(path, Scheme) {
				err = fmt.Errorf("no such file or folder, and as a data set of the hub: %w", err)
			}
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, own...)
	}
	return all, nil
}

// dataset is what an address names.
type dataset struct {
	id, revision, pattern string
	readable              func(file string) bool
}

const datasetID = `([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@([\w.%-]+))?`

var (
	address  = regexp.MustCompile(`^hf://datasets/` + datasetID + `(?:/(.+))?$`)
	bareName = regexp.MustCompile(`^` + datasetID + `$`)
)

// parse takes an address apart; found is false for a path of this machine.
func parse(name string) (d dataset, found bool, err error) {
	m := address.FindStringSubmatch(name)
	switch {
	case m == nil && strings.HasPrefix(name, Scheme):
		return d, false, fmt.Errorf("%s: expected hf://datasets/ORG/NAME, perhaps with @REVISION and /PATTERN", name)
	case m == nil:
		if m = bareName.FindStringSubmatch(name); m == nil || isLocal(name) {
			return d, false, nil
		}
		m = append(m, "")
	}
	d = dataset{id: m[1], revision: "main", pattern: strings.Trim(m[3], "/")}
	if m[2] != "" {
		d.revision = strings.ReplaceAll(m[2], "%2F", "/")
	}
	return d, true, nil
}

// isLocal tells whether a name of two parts is meant to be a file's: it is there, or its folder is, or it ends as files do.
func isLocal(name string) bool {
	for _, path := range []string{name, path.Dir(name)} {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			return true
		}
	}
	_, readable := source.FormatOf(name)
	return readable
}

// fetch returns the paths of the data set's files, in the order of their names.
func (d dataset) fetch(ctx context.Context, r *checkpoint.Resolver) ([]string, error) {
	var chosen []string
	choose := func(files []string, _ func(string) (string, error)) (_ []string, err error) {
		chosen, err = d.choose(files)
		return chosen, err
	}
	dir, err := r.DownloadFiles(ctx, d.id, checkpoint.DatasetRepo, d.revision, choose)
	if err != nil {
		return nil, err
	}
	paths := make([]string, len(chosen))
	for i, file := range chosen {
		paths[i] = filepath.Join(dir, filepath.FromSlash(file))
	}
	return paths, nil
}

var (
	trainSplit = regexp.MustCompile(`(?:^|[/._-])(?:train|training)(?:[/._-]|$)`)
	otherSplit = regexp.MustCompile(`(?:^|[/._-])(?:test|testing|eval|evaluation|dev|valid|validation|val)(?:[/._-]|$)`)
	judgements = regexp.MustCompile(`(?:^|[/_-])qrels(?:[/._-]|$)`)
	corpusFile = regexp.MustCompile(`(?:^|[/_-])corpus(?:[/._-]|$)`)
)

// choose takes the files that are wanted of a data set's.
func (d dataset) choose(files []string) ([]string, error) {
	var found []string
	for _, file := range files {
		fits, err := d.fits(file)
		if err != nil {
			return nil, err
		}
		if fits && d.readable(file) {
			found = append(found, file)
		}
	}
	if d.pattern == "" {
		found = defaults(found, slices.ContainsFunc(files, judgements.MatchString))
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no file to read among its %d%s", len(files), of(d.pattern))
	}
	slices.Sort(found)
	return found, nil
}

func of(pattern string) string {
	if pattern == "" {
		return ""
	}
	return " fits " + pattern
}

// fits tells whether a file is named by the pattern, or lies in a folder that is.
func (d dataset) fits(file string) (bool, error) {
	if d.pattern == "" || strings.HasPrefix(file, d.pattern+"/") {
		return true, nil
	}
	fits, err := doublestar.Match(d.pattern, file)
	if err != nil {
		return false, fmt.Errorf("pattern %s: %w", d.pattern, err)
	}
	return fits, nil
}

// defaults are the documents of a collection, else the split train where files tell splits, as the hub's own viewer has it.
func defaults(files []string, collection bool) []string {
	only := func(fits func(string) bool) []string {
		return slices.DeleteFunc(slices.Clone(files), func(file string) bool { return !fits(file) })
	}
	if corpus := only(corpusFile.MatchString); collection && len(corpus) > 0 {
		return corpus
	}
	if train := only(trainSplit.MatchString); len(train) > 0 {
		return train
	}
	return only(func(file string) bool { return !otherSplit.MatchString(file) })
}
