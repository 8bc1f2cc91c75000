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
	"errors"
	"fmt"
	"math"

	"revela/internal/topk"
)

// Options are the parameters of an index.
type Options struct {
	Analysis Analysis
	K1       float64 // saturation of the term frequency
	B        float64 // weight of the document's length
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

// Builder collects documents for an index.
type Builder struct {
	options  Options
	terms    map[string]int32
	words    map[string]int32 // word before stop words and stemming → its term, or dropped
	postings []posting        // in the order of documents
	lengths  []int32          // of the documents, in terms
	counts   map[int32]int32  // of the document at hand
}

type posting struct{ term, document, frequency int32 }

const dropped = -1

// NewBuilder returns a builder; parameters that make no sense are an error.
func NewBuilder(options Options) (*Builder, error) {
	if !(options.K1 >= 0) || math.IsInf(options.K1, 0) {
		return nil, fmt.Errorf("bm25: k1 is %g, expected a number from 0 on", options.K1)
	}
	if !(options.B >= 0 && options.B <= 1) {
		return nil, fmt.Errorf("bm25: b is %g, expected a number from 0 to 1", options.B)
	}
	return &Builder{options: options, terms: map[string]int32{}, words: map[string]int32{}, counts: map[int32]int32{}}, nil
}

// Add adds a document; the first one has position 0. An empty one counts as a document without terms.
func (b *Builder) Add(text string) error {
	if len(b.lengths) == math.MaxInt32 {
		return errors.New("bm25: too many documents for one index")
	}
	document, length := int32(len(b.lengths)), int32(0)
	clear(b.counts)
	b.options.Analysis.eachWord(text, func(word string) {
		term, known := b.words[word]
		if !known {
			term = b.addWord(word)
		}
		if term != dropped {
			b.counts[term]++
			length++
		}
	})
	for term, frequency := range b.counts {
		b.postings = append(b.postings, posting{term, document, frequency})
	}
	b.lengths = append(b.lengths, length)
	return nil
}

func (b *Builder) addWord(word string) int32 {
	term := int32(dropped)
	if analysis := b.options.Analysis; !analysis.drops(word) {
		stem, known := analysis.stem(word), false
		if term, known = b.terms[stem]; !known {
			term = int32(len(b.terms))
			b.terms[stem] = term
		}
	}
	b.words[word] = term
	return term
}

// Build returns the index of the documents added so far and ends the builder's use.
func (b *Builder) Build() (*Index, error) {
	if len(b.lengths) == 0 {
		return nil, errors.New("bm25: no documents to index")
	}
	x := &Index{
		options: b.options, terms: b.terms, length: len(b.lengths),
		starts:    make([]int64, len(b.terms)+1),
		documents: make([]int32, len(b.postings)),
		scores:    make([]float32, len(b.postings)),
	}
	for _, p := range b.postings {
		x.starts[p.term+1]++
	}
	idf := make([]float32, len(b.terms))
	for term := range idf {
		frequency := float64(x.starts[term+1])
		idf[term] = float32(math.Log(1 + (float64(x.length)-frequency+0.5)/(frequency+0.5)))
		x.starts[term+1] += x.starts[term]
	}
	b.place(x, idf)
	b.terms, b.words, b.postings, b.lengths = nil, nil, nil, nil
	return x, nil
}

// place sorts the postings by term, which keeps the order of documents within each, and computes their scores.
func (b *Builder) place(x *Index, idf []float32) {
	total := 0.0
	for _, length := range b.lengths {
		total += float64(length)
	}
	mean := total / float64(len(b.lengths))
	next := append([]int64(nil), x.starts...)
	k1, weight := b.options.K1, b.options.B
	for _, p := range b.postings {
		tf := float64(p.frequency)
		saturated := tf / (k1*((1-weight)+weight*float64(b.lengths[p.document])/mean) + tf)
		x.documents[next[p.term]] = p.document
		x.scores[next[p.term]] = float32(float64(idf[p.term]) * saturated)
		next[p.term]++
	}
}
