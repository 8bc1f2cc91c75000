package evaluate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Collection is a retrieval benchmark: a folder in BEIR layout (see [OpenCollection]) or another [Source]. The documents'
// texts stay on disk.
type Collection struct {
	Name    string // of a folder its last name
	Split   string
	Qrels   Qrels
	Queries []Document // those that the split judges, in the file's order
	IDs     []string   // of all documents, in the file's order

	Task            *Task               // of a benchmark; nil: none
	Excluded        map[string][]string // query id → documents that it must not find
	RemoveIdentical bool                // queries must not find the document that has their id
	QueryPrompt     string              // stands before every query's text
	Join            string              // stands between a document's title and text; "": a blank
	Strip           bool                // documents lose white space at both ends once they are joined, as in mteb
	Notes           []string            // what was tolerated in reading, a sentence each

	source Source
}

// OpenCollection opens a folder in BEIR layout: corpus.jsonl and queries.jsonl (or .gz, .zst) and qrels/SPLIT.tsv. It
// reads the queries and judgements of a split and checks the whole corpus once: JSON, encoding and ids, so that hours of
// encoding do not end in an error that could be had before. A judgement whose query or document does not exist is an error.
func OpenCollection(dir, split string) (*Collection, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open collection: %w", err)
	}
	source, err := Folder(dir, split)
	if err != nil {
		return nil, fmt.Errorf("open collection: %w", err)
	}
	return OpenSource(filepath.Base(absolute), split, source)
}

// Folder finds the parts of a split of a folder in BEIR layout.
func Folder(dir, split string) (Source, error) {
	corpus, err := findFile(dir, "corpus.jsonl")
	if err != nil {
		return Source{}, err
	}
	queries, err := findFile(dir, "queries.jsonl")
	if err != nil {
		return Source{}, err
	}
	qrels, err := findSplit(dir, split)
	return Source{Corpus: []string{corpus}, Queries: []string{queries}, Qrels: []string{qrels}}, err
}

// read fills the collection from its source.
func (c *Collection) read() error {
	if err := c.readQrels(); err != nil {
		return err
	}
	documents, err := c.readIDs()
	if err != nil {
		return err
	}
	queries, err := c.readQueries()
	if err != nil {
		return err
	}
	if len(c.Qrels) == 0 {
		return fmt.Errorf("%s: no judgements", strings.Join(append(c.source.Qrels, c.source.Queries...), ", "))
	}
	return c.checkQrels(queries, documents)
}

func (c *Collection) readQrels() error {
	c.Qrels = Qrels{}
	err := c.source.eachJudgement(func(_ place, j judgement) error { return c.judge(j) })
	if err == nil && len(c.source.Qrels) > 0 && len(c.Qrels) == 0 {
		err = fmt.Errorf("%s: no judgements", strings.Join(c.source.Qrels, ", "))
	}
	return err
}

// judge adds a judgement; of repeated ones mteb takes the last.
func (c *Collection) judge(j judgement) error {
	if c.source.Tolerant && c.Qrels[j.query] != nil {
		c.Qrels[j.query][j.document] = j.level
		return nil
	}
	return c.Qrels.add(j)
}

// readIDs reads the ids of the documents.
func (c *Collection) readIDs() (seen, error) {
	documents, again := seen{}, 0
	err := c.source.eachDocument(func(at place, d Document) error {
		if err := documents.add(d.ID, at, c.source.Corpus); err != nil {
			if again++; c.source.Tolerant {
				return nil
			}
			return err
		}
		c.IDs = append(c.IDs, d.ID)
		return nil
	})
	if err == nil && len(c.IDs) == 0 {
		err = fmt.Errorf("%s: no documents", strings.Join(c.source.Corpus, ", "))
	}
	if again > 0 {
		c.Notes = append(c.Notes, fmt.Sprintf("%d documents have the id of one before them and are left out", again))
	}
	return documents, err
}

// readQueries reads the queries that have judgements; where the source keeps those with the queries, them as well.
func (c *Collection) readQueries() (seen, error) {
	queries := seen{}
	err := c.source.eachQuery(func(at place, q Document, relevant, excluded []string) error {
		if err := queries.add(q.ID, at, c.source.Queries); err != nil {
			return err
		}
		for _, id := range relevant {
			if err := c.judge(judgement{q.ID, id, 1}); err != nil {
				return err
			}
		}
		if _, judged := c.Qrels[q.ID]; !judged {
			return nil
		}
		c.Queries = append(c.Queries, q)
		if len(excluded) > 0 {
			if c.Excluded == nil {
				c.Excluded = map[string][]string{}
			}
			c.Excluded[q.ID] = excluded
		}
		return nil
	})
	return queries, err
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
	err := c.eachDistinct(func(d Document) error {
		if next >= len(c.IDs) || c.IDs[next] != d.ID {
			return errCorpusChanged
		}
		block = append(block, c.text(d))
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
		return fmt.Errorf("%s: %w", strings.Join(c.source.Corpus, ", "), errCorpusChanged)
	}
	return flush()
}

var errCorpusChanged = errors.New("the corpus has changed since it was opened")

// eachDistinct visits the documents, of those with the same id the first.
func (c *Collection) eachDistinct(visit func(d Document) error) error {
	if !c.source.Tolerant {
		return c.source.eachDocument(func(_ place, d Document) error { return visit(d) })
	}
	ids := make(map[string]bool, len(c.IDs))
	return c.source.eachDocument(func(_ place, d Document) error {
		if ids[d.ID] {
			return nil
		}
		ids[d.ID] = true
		return visit(d)
	})
}

// text is what is encoded of a document.
func (c *Collection) text(d Document) string {
	text := d.FullText()
	if c.Join != "" && d.Title != "" && d.Text != "" {
		text = d.Title + c.Join + d.Text
	}
	if c.Strip {
		text = strings.TrimSpace(text)
	}
	return text
}

// Place is where the collection lies, for messages.
func (c *Collection) Place() string { return c.source.String() }

// QueryTexts returns the texts to encode, one a query.
func (c *Collection) QueryTexts() []string {
	texts := make([]string, len(c.Queries))
	for i, q := range c.Queries {
		texts[i] = c.QueryPrompt + q.FullText()
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
