// Package bm25 ranks documents by the words they share with a query: one index, for grouping documents and as the
// baseline of evaluation.
//
// Scores equal those of the Python library bm25s (method "lucene"): a document's score is the sum over the
// query's terms, repeated ones counted each time, of
//
//	idf · tf / (tf + k1 · (1 − b + b · length / mean length)),  idf = ln(1 + (N − df + ½) / (df + ½))
//
// with term frequency tf, document frequency df and lengths counted in terms. As in bm25s (Lù, 2024,
// arXiv 2407.03618) the addends are computed when the index is built, so that searching only adds them up.
package bm25

import (
	"fmt"

	"revela/internal/topk"
)

// Options are the parameters of an index.
type Options struct {
	Analysis Analysis
	K1       float64 // saturation of the term frequency
	B        float64 // weight of the document's length
	Threads  int     // that build it, 0 for one; what is built does not depend on it
}

// Defaults returns bm25s's parameters, k1 1.5 and b 0.75, with an analysis.
func Defaults(analysis Analysis) Options {
	return Options{Analysis: analysis, K1: 1.5, B: 0.75}
}

// Index holds, for every term, the documents that contain it and what the term adds to their scores. It is safe
// for concurrent use.
type Index struct {
	options   Options
	terms     map[string]int32
	starts    []int64 // of each term's postings; one more at the end
	documents []int32
	scores    []float32
	length    int // documents
}

// Hit is a document, by its position in the order of adding, with its score.
type Hit = topk.Item

// Len returns the number of documents.
func (x *Index) Len() int { return x.length }

// Terms returns the number of distinct terms.
func (x *Index) Terms() int { return len(x.terms) }

// Scores writes the scores of all documents for a query to scores [Len()], which is overwritten.
func (x *Index) Scores(query string, scores []float32) error {
	if len(scores) != x.length {
		return fmt.Errorf("bm25: room for %d scores, expected %d", len(scores), x.length)
	}
	clear(scores)
	x.options.Analysis.EachTerm(query, func(text string) {
		term, known := x.terms[text]
		if !known {
			return
		}
		start, end := x.starts[term], x.starts[term+1]
		addends := x.scores[start:end]
		for i, document := range x.documents[start:end] {
			scores[document] += addends[i]
		}
	})
	return nil
}

// Search returns the best k documents that share a term with the query, best first; of equal scores the document
// added first comes first.
func (x *Index) Search(query string, k int) ([]Hit, error) {
	if k < 1 {
		return nil, fmt.Errorf("bm25: search for the best %d documents, expected at least 1", k)
	}
	scores := make([]float32, x.length)
	if err := x.Scores(query, scores); err != nil {
		return nil, err
	}
	best := topk.New(k, func(a, b int32) bool { return a < b })
	for document, score := range scores {
		if score > 0 {
			best.Push(int32(document), score)
		}
	}
	return best.Sorted(), nil
}
