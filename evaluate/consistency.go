package evaluate

import (
	"fmt"
	"path/filepath"
)

// seen remembers where ids stand.
type seen map[string]place

// add rejects an id that came before in one of the files.
func (s seen) add(id string, at place, files []string) error {
	first, repeated := s[id]
	switch {
	case repeated && first.file == at.file:
		return fmt.Errorf("_id %q is already used on line %d", id, first.line)
	case repeated:
		return fmt.Errorf("_id %q is already used on line %d of %s", id, first.line, files[first.file])
	}
	s[id] = at
	return nil
}

// checkQrels reports the first judgement whose query or document does not exist, and how many more there are.
func (c *Collection) checkQrels(queries, documents seen) error {
	first, unknownDocuments, unknownQueries := "", 0, 0
	check := func(at place, j judgement) error {
		message := ""
		if _, exists := documents[j.document]; !exists {
			unknownDocuments++
			message = fmt.Sprintf("%s has no document %q", base(c.source.Corpus), j.document)
		}
		if _, exists := queries[j.query]; !exists {
			unknownQueries++
			message = fmt.Sprintf("%s has no query %q", base(c.source.Queries), j.query)
		}
		if first == "" && message != "" {
			first = fmt.Sprintf("%s:%d: %s", append(c.source.Qrels, c.source.Queries...)[at.file], at.line, message)
		}
		return nil
	}
	err := c.source.eachJudgement(check)
	if len(c.source.Qrels) == 0 {
		err = c.source.eachQuery(func(at place, q Document, relevant, _ []string) error {
			for _, id := range relevant {
				_ = check(at, judgement{q.ID, id, 1}) // only counts
			}
			return nil
		})
	}
	if err != nil || first == "" {
		return err
	}
	unknown := fmt.Sprintf("unknown documents in %d judgements, unknown queries in %d", unknownDocuments, unknownQueries)
	if c.source.Tolerant {
		c.Notes = append(c.Notes, unknown+", as mteb counts them")
		return nil
	}
	return fmt.Errorf("%s (%s)", first, unknown)
}

// base names a part of a source in messages.
func base(files []string) string {
	if len(files) == 1 {
		return filepath.Base(files[0])
	}
	return fmt.Sprintf("%s and %d more", filepath.Base(files[0]), len(files)-1)
}
