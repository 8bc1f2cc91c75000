package prepare

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"revela/data/jsonl"
	"revela/data/source"
)

// What a chunk repeats of an evaluation: a whole query of at least 5 words; 13 words in a row of a query (the rule of
// GPT-3, arXiv 2005.14165); of a document that is judged relevant 50 words in a row (arXiv 2107.06499), or where the chunk
// is shorter more than 60 % of its runs of 13 words.
const (
	minRepeatedWords = 5
	runWords         = 13
	documentWords    = 50
)

// evaluated holds the queries and judged documents of collections. It is not changed after it is read.
type evaluated struct {
	names   []string // of the collections
	queries *finder  // those of 5 words or more, folded
	asked   map[string]evaluatedPlace
	runs    map[uint64]evaluatedPlace // of 13 words of queries
	texts   map[uint64]evaluatedPlace // of 13 words of documents
	short   int                       // queries of fewer words
}

// evaluatedPlace names a query or document of a collection.
type evaluatedPlace struct {
	collection int
	id         string
}

// readEvaluated reads collections in BEIR layout; nil for none.
func readEvaluated(dirs []string) (*evaluated, error) {
	if len(dirs) == 0 {
		return nil, nil
	}
	e := &evaluated{asked: map[string]evaluatedPlace{}, runs: map[uint64]evaluatedPlace{}, texts: map[uint64]evaluatedPlace{}}
	for i, dir := range dirs {
		e.names = append(e.names, filepath.Base(filepath.Clean(dir)))
		if err := e.readCollection(i, dir); err != nil {
			return nil, fmt.Errorf("prepare.decontaminate: %s: %w", dir, err)
		}
	}
	var sentences []string
	for s := range e.asked {
		sentences = append(sentences, s)
	}
	e.queries = newFinder(minRepeatedWords, sentences)
	return e, nil
}

func (e *evaluated) readCollection(number int, dir string) error {
	err := eachRecord(dir, "queries.jsonl", func(d source.Document) {
		text := folded(d.Text)
		if strings.Count(text, " ")+1 < minRepeatedWords {
			e.short++
			return
		}
		e.asked[text] = evaluatedPlace{number, d.ID}
		for _, run := range runsOf(text) {
			e.runs[run] = evaluatedPlace{number, d.ID}
		}
	})
	if err != nil {
		return err
	}
	judged, err := judgedDocuments(filepath.Join(dir, "qrels"))
	if err != nil {
		return err
	}
	return eachRecord(dir, "corpus.jsonl", func(d source.Document) {
		if judged != nil && !judged[d.ID] {
			return
		}
		for _, run := range runsOf(folded(d.Text)) {
			if _, found := e.texts[run]; !found {
				e.texts[run] = evaluatedPlace{number, d.ID}
			}
		}
	})
}

// eachRecord visits the records of a file of a collection.
func eachRecord(dir, name string, visit func(source.Document)) error {
	path := filepath.Join(dir, name)
	for _, ending := range []string{"", ".gz", ".zst"} {
		if _, err := os.Stat(path + ending); err == nil {
			path += ending
			break
		}
	}
	r, err := source.Open(path, source.Lines, nil)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no %s, expected a folder in BEIR layout: corpus.jsonl, queries.jsonl, qrels/", name)
	}
	if err != nil {
		return err
	}
	defer r.Close()
	for r.Next() {
		d, _, err := source.Parse(path, source.Lines, r.Record())
		if err != nil {
			return err
		}
		visit(d)
	}
	return r.Err()
}

// judgedDocuments are those that any split judges relevant; nil where there are no judgements.
func judgedDocuments(dir string) (map[string]bool, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.tsv"))
	if err != nil || len(paths) == 0 {
		return nil, err
	}
	judged := map[string]bool{}
	for _, path := range paths {
		lines, err := jsonl.Open(path)
		if err != nil {
			return nil, err
		}
		for lines.Next() {
			cells := strings.Fields(string(lines.Line().Text))
			if len(cells) >= 3 && cells[len(cells)-1] != "0" {
				judged[cells[len(cells)-2]] = true
			}
		}
		if err := errors.Join(lines.Err(), lines.Close()); err != nil {
			return nil, err
		}
	}
	return judged, nil
}

// runsOf returns the hashes of a folded text's runs of 13 words, in order.
func runsOf(text string) []uint64 {
	var words []uint64
	for word := range strings.SplitSeq(text, " ") {
		words = append(words, mix(hashWord(word)))
	}
	var runs []uint64
	for at := 0; at+runWords <= len(words); at++ {
		hash := uint64(0)
		for _, word := range words[at : at+runWords] {
			hash = (hash + word) * 0x9e3779b97f4a7c15
			hash ^= hash >> 29
		}
		runs = append(runs, hash)
	}
	return runs
}

// repeatedIn says what of an evaluation a unit repeats, "" for nothing.
func (e *evaluated) repeatedIn(u unit) string {
	for _, text := range []string{u.wholeText(), u.query} {
		if why := e.repeated(folded(text)); why != "" {
			return why
		}
	}
	return ""
}

func (e *evaluated) repeated(text string) (why string) {
	e.queries.findFolded(text, func(s string) {
		if p := e.asked[s]; why == "" {
			why = fmt.Sprintf("%s query %s", e.names[p.collection], p.id)
		}
	})
	if why != "" {
		return why
	}
	runs := runsOf(text)
	hits, row := 0, 0
	for _, run := range runs {
		if p, found := e.runs[run]; found {
			return fmt.Sprintf("%s query %s", e.names[p.collection], p.id)
		}
		p, found := e.texts[run]
		if row++; !found {
			row = 0
			continue
		}
		if hits++; row >= documentWords-runWords+1 || len(runs) < documentWords-runWords+1 && float64(hits) > maxSharedLines*float64(len(runs)) {
			return fmt.Sprintf("%s document %s", e.names[p.collection], p.id)
		}
	}
	return ""
}
