package evaluate

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Source says where the parts of a collection lie and what their fields are called. Files are JSON Lines (plain, .gz,
// .zst) or Parquet (.parquet), judgements tab-separated values as well (.tsv).
type Source struct {
	Corpus, Queries, Qrels []string // files, each part in their order
	Fields                 Fields

	// Tolerant is how mteb reads: judgements of documents and queries that are not there count as they are, of documents
	// with the same id the first stays. What was tolerated is noted. Otherwise both are errors.
	Tolerant bool
}

// Fields are the names of a source's fields; the zero value means those of BEIR.
type Fields struct {
	ID         string // of documents and queries; "": _id, or id where there is none
	Text       string // of documents; "": text
	Query      string // of queries; "": text
	Relevant   string // of queries: the ids of their relevant documents, where there are no files of judgements
	Excluded   string // of queries: the ids of the documents that they must not find
	NoExcluded string // stands in Relevant and Excluded for an empty list
}

// OpenSource reads the queries and judgements of a source and checks its whole corpus once, as [OpenCollection] does.
func OpenSource(name, split string, s Source) (*Collection, error) {
	c := &Collection{Name: name, Split: split, source: s}
	if err := c.read(); err != nil {
		return nil, fmt.Errorf("open collection: %w", err)
	}
	return c, nil
}

// place is where a record stands.
type place struct {
	file int32 // its index in the part
	line int32 // of JSON Lines from 1, of Parquet the row from 0
}

// eachDocument visits the documents of the corpus.
func (s Source) eachDocument(visit func(at place, d Document) error) error {
	for i, path := range s.Corpus {
		each := func(line int, d Document) error { return visit(place{int32(i), int32(line)}, d) }
		var err error
		if s.plain(path) {
			err = EachDocument(path, each)
		} else {
			err = eachRecord(path, []string{s.Fields.ID, "_id", "id", "title", s.Fields.Text, "text"}, func(row record) error {
				d, err := row.document(s.Fields.ID, s.Fields.Text)
				if err != nil {
					return err
				}
				return each(row.line, d)
			})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// plain reports whether a file is JSON Lines with BEIR's own keys, which [EachDocument] reads faster.
func (s Source) plain(path string) bool {
	return s.Fields == Fields{} && !isParquet(path) && !s.Tolerant
}

// eachQuery visits the queries, each with the ids of the documents in its Relevant and Excluded fields.
func (s Source) eachQuery(visit func(at place, q Document, relevant, excluded []string) error) error {
	for i, path := range s.Queries {
		var err error
		if s.plain(path) {
			err = EachDocument(path, func(line int, q Document) error { return visit(place{int32(i), int32(line)}, q, nil, nil) })
		} else {
			err = eachRecord(path, s.queryKeys(), func(row record) error {
				q, err := row.document(s.Fields.ID, s.Fields.Query)
				if err != nil {
					return err
				}
				relevant, err := row.ids(s.Fields.Relevant, s.Fields.NoExcluded)
				if err != nil {
					return err
				}
				excluded, err := row.ids(s.Fields.Excluded, s.Fields.NoExcluded)
				if err != nil {
					return err
				}
				return visit(place{int32(i), int32(row.line)}, q, relevant, excluded)
			})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s Source) queryKeys() []string {
	f := s.Fields
	return []string{f.ID, "_id", "id", f.Query, "text", f.Relevant, f.Excluded}
}

// eachJudgement visits the judgements of the files, errors with their places.
func (s Source) eachJudgement(visit func(at place, j judgement) error) error {
	for i, path := range s.Qrels {
		var err error
		if isRecords(path) {
			err = eachRecord(path, []string{"query-id", "corpus-id", "score"}, func(row record) error {
				j, err := row.judgement()
				if err != nil {
					return err
				}
				return visit(place{int32(i), int32(row.line)}, j)
			})
		} else {
			err = scanQrels(path, func(line int, j judgement) error { return visit(place{int32(i), int32(line)}, j) })
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// isRecords reports whether a file of judgements is JSON Lines or Parquet.
func isRecords(path string) bool {
	name := strings.TrimSuffix(strings.TrimSuffix(path, ".gz"), ".zst")
	return isParquet(path) || filepath.Ext(name) == ".jsonl"
}

// String names the folder of a source, for messages.
func (s Source) String() string {
	if len(s.Corpus) == 0 {
		return "nowhere"
	}
	return filepath.Dir(s.Corpus[0])
}
