package evaluate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Collection is a retrieval benchmark in BEIR layout: corpus.jsonl and queries.jsonl (or .gz, .zst) and
// qrels/SPLIT.tsv. The documents' texts stay on disk.
type Collection struct {
	Name    string // the folder's last name
	Split   string
	Qrels   Qrels
	Queries []Document // those that the split judges, in the file's order
	IDs     []string   // of all documents, in the file's order

	Task            *Task               // of a benchmark; nil: none
	Excluded        map[string][]string // query id → documents that it must not find
	RemoveIdentical bool                // queries must not find the document that has their id

	corpus string // the corpus file's path
}

// OpenCollection reads the queries and judgements of a split and checks the whole corpus once: JSON, encoding
// and ids, so that hours of encoding do not end in an error that could be had before. A judgement whose query or
// document does not exist is an error.
func OpenCollection(dir, split string) (*Collection, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open collection: %w", err)
	}
	c := &Collection{Name: filepath.Base(absolute), Split: split}
	if c.corpus, err = findFile(dir, "corpus.jsonl"); err != nil {
		return nil, fmt.Errorf("open collection: %w", err)
	}
	queriesPath, err := findFile(dir, "queries.jsonl")
	if err != nil {
		return nil, fmt.Errorf("open collection: %w", err)
	}
	qrelsPath, err := findSplit(dir, split)
	if err != nil {
		return nil, fmt.Errorf("open collection: %w", err)
	}
	if err := c.read(queriesPath, qrelsPath); err != nil {
		return nil, fmt.Errorf("open collection: %w", err)
	}
	return c, nil
}

func (c *Collection) read(queriesPath, qrelsPath string) error {
	var err error
	if c.Qrels, err = ReadQrels(qrelsPath); err != nil {
		return err
	}
	documents := map[string]int{}
	err = EachDocument(c.corpus, func(line int, d Document) error {
		c.IDs = append(c.IDs, d.ID)
		return addID(documents, d.ID, line)
	})
	if err != nil {
		return err
	}
	if len(c.IDs) == 0 {
		return fmt.Errorf("%s: no documents", c.corpus)
	}
	queries := map[string]int{}
	err = EachDocument(queriesPath, func(line int, q Document) error {
		if _, judged := c.Qrels[q.ID]; judged {
			c.Queries = append(c.Queries, q)
		}
		return addID(queries, q.ID, line)
	})
	if err != nil {
		return err
	}
	return checkQrels(qrelsPath, queriesPath, c.corpus, queries, documents)
}

// addID remembers the line of an id and rejects one that came before.
func addID(lines map[string]int, id string, line int) error {
	if first, repeated := lines[id]; repeated {
		return fmt.Errorf("_id %q is already used on line %d", id, first)
	}
	lines[id] = line
	return nil
}

// checkQrels reports the first judgement whose query or document does not exist, and how many more there are.
func checkQrels(qrelsPath, queriesPath, corpusPath string, queries, documents map[string]int) error {
	first, unknownDocuments, unknownQueries := "", 0, 0
	err := scanQrels(qrelsPath, func(line int, j judgement) error {
		message := ""
		if _, exists := documents[j.document]; !exists {
			unknownDocuments++
			message = fmt.Sprintf("%s has no document %q", filepath.Base(corpusPath), j.document)
		}
		if _, exists := queries[j.query]; !exists {
			unknownQueries++
			message = fmt.Sprintf("%s has no query %q", filepath.Base(queriesPath), j.query)
		}
		if first == "" && message != "" {
			first = fmt.Sprintf("%s:%d: %s", qrelsPath, line, message)
		}
		return nil
	})
	if err != nil || first == "" {
		return err
	}
	return fmt.Errorf("%s (unknown documents in %d judgements, unknown queries in %d)", first, unknownDocuments, unknownQueries)
}

// EachBlock reads the corpus again and calls visit with blocks of at most size documents, titles joined; first is
// the index of a block's first document. The block is reused after visit returns.
func (c *Collection) EachBlock(size int, visit func(first int, texts []string) error) error {
	var visitError error // kept apart: it has nothing to do with the line that was read last
	block, next := make([]string, 0, min(size, len(c.IDs))), 0
	flush := func() error {
		if len(block) > 0 {
			visitError = visit(next-len(block), block)
			block = block[:0]
		}
		return visitError
	}
	err := EachDocument(c.corpus, func(_ int, d Document) error {
		if next >= len(c.IDs) || c.IDs[next] != d.ID {
			return errCorpusChanged
		}
		block = append(block, d.FullText())
		next++
		if len(block) == size {
			return flush()
		}
		return nil
	})
	switch {
	case visitError != nil:
		return visitError
	case err != nil:
		return err
	case next != len(c.IDs):
		return fmt.Errorf("%s: %w", c.corpus, errCorpusChanged)
	}
	return flush()
}

var errCorpusChanged = errors.New("the corpus has changed since it was opened")

// QueryTexts returns the texts to encode, one a query.
func (c *Collection) QueryTexts() []string {
	texts := make([]string, len(c.Queries))
	for i, q := range c.Queries {
		texts[i] = q.FullText()
	}
	return texts
}

// findFile looks for a file by its plain name, then compressed.
func findFile(dir, name string) (string, error) {
	for _, ending := range []string{"", ".gz", ".zst"} {
		path := filepath.Join(dir, name+ending)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", fmt.Errorf("%s has no %s (nor .gz, .zst)", dir, name)
}

func findSplit(dir, split string) (string, error) {
	path := filepath.Join(dir, "qrels", split+".tsv")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	others, err := filepath.Glob(filepath.Join(dir, "qrels", "*.tsv"))
	if err != nil {
		return "", err
	}
	for i, other := range others {
		others[i] = strings.TrimSuffix(filepath.Base(other), ".tsv")
	}
	if len(others) == 0 {
		return "", fmt.Errorf("%s has no judgements: no qrels/%s.tsv", dir, split)
	}
	return "", fmt.Errorf("%s has no split %q, expected one of: %s", dir, split, strings.Join(others, ", "))
}
