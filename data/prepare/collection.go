package prepare

import (
	"bufio"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"revela/data/jsonl"
	"revela/internal/atomicfile"
)

// maxQueries is the size of a held-out collection's query set: enough for stable scores, quick to encode.
const maxQueries = 400

// collection is what is kept out of training: all units as documents, some of their sentences as queries.
type collection struct {
	units   []unit
	queries []unit // those whose sentence is asked
	inTexts int    // sentences dropped because an evaluated text holds them
}

// chooseQueries takes the sentences that have enough words, are unique in the collection and occur in no evaluated
// text: at most maxQueries, fixed by a hash of their units' names. Texts in others are those of the other collections.
func (c *collection) chooseQueries(minWords int, others ...*collection) {
	count := map[string]int{}
	for _, u := range c.units {
		if wordCount(plain(u.sentence)) >= minWords {
			count[folded(u.sentence)]++
		}
	}
	leaked := leakedSentences(minWords, count, append(others, c))
	for _, u := range c.units {
		sentence := folded(u.sentence)
		switch {
		case count[sentence] != 1:
		case leaked[sentence]:
			c.inTexts++
		default:
			c.queries = append(c.queries, u)
		}
	}
	slices.SortFunc(c.queries, func(a, b unit) int {
		return cmp.Or(cmp.Compare(hashPlace("query", a.id), hashPlace("query", b.id)), cmp.Compare(a.id, b.id))
	})
	c.queries = c.queries[:min(maxQueries, len(c.queries))]
}

// leakedSentences returns which sentences occur in the texts of collections.
func leakedSentences(minWords int, sentences map[string]int, collections []*collection) map[string]bool {
	var list []string
	for s := range sentences {
		list = append(list, s)
	}
	finder, leaked := newFinder(minWords, list), map[string]bool{}
	for _, c := range collections {
		for _, u := range c.units {
			finder.find(u.text, func(s string) { leaked[s] = true })
		}
	}
	return leaked
}

// beirDocument is a line of corpus.jsonl: BEIR's keys, and where the document stands.
type beirDocument struct {
	ID    string `json:"_id"`
	Title string `json:"title"`
	Text  string `json:"text"`
	File  string `json:"file"`
	Line  int    `json:"line"`
	Name  string `json:"name"`
}

// beirQuery is a line of queries.jsonl.
type beirQuery struct {
	ID   string `json:"_id"`
	Text string `json:"text"`
}

// write puts the collection into a folder in BEIR layout, whole or not at all.
func (c *collection) write(dir string) error {
	return atomicfile.Dir(dir, func(tmp string) error {
		err := jsonl.Write(filepath.Join(tmp, "corpus.jsonl"), func(put func(any) error) error {
			for _, u := range c.units {
				if err := put(beirDocument{ID: u.id, Text: u.text, File: u.file, Line: u.line, Name: u.name}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		err = jsonl.Write(filepath.Join(tmp, "queries.jsonl"), func(put func(any) error) error {
			for _, q := range c.queries {
				if err := put(beirQuery{ID: queryID(q), Text: q.sentence}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		return c.writeQrels(filepath.Join(tmp, "qrels", "test.tsv"))
	})
}

// writeQrels judges each query's own unit relevant.
func (c *collection) writeQrels(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, "query-id\tcorpus-id\tscore")
	for _, q := range c.queries {
		fmt.Fprintf(w, "%s\t%s\t1\n", queryID(q), q.id)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

// queryID differs from its document's id: some tools drop a document with the id of the query.
func queryID(u unit) string { return "query:" + u.id }
