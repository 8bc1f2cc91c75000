package bm25

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// Builder collects documents for an index or a finder. Until then it holds 5 bytes for each distinct term of each
// document, and the words met.
type Builder struct {
	options Options
	terms   map[string]int32
	words   map[string]int32 // word before stop words and stemming → its term, or dropped
	vectors vectors
	lengths []int32 // of the documents, in terms
	found   []int32 // terms of the document at hand
}

const dropped = -1

// NewBuilder returns a builder; parameters that make no sense are an error.
func NewBuilder(options Options) (*Builder, error) {
	if !(options.K1 >= 0) || math.IsInf(options.K1, 0) {
		return nil, fmt.Errorf("bm25: k1 is %g, expected a number from 0 on", options.K1)
	}
	if !(options.B >= 0 && options.B <= 1) {
		return nil, fmt.Errorf("bm25: b is %g, expected a number from 0 to 1", options.B)
	}
	return &Builder{options: options, terms: map[string]int32{}, words: map[string]int32{}}, nil
}

// Len returns the number of documents added.
func (b *Builder) Len() int { return len(b.lengths) }

// Add adds a document; the first one has position 0. An empty one counts as a document without terms.
func (b *Builder) Add(text string) error {
	if len(b.lengths) == math.MaxInt32 {
		return errors.New("bm25: too many documents for one index")
	}
	b.found = b.found[:0]
	b.options.Analysis.eachWord(text, func(word string) {
		term, known := b.words[word]
		if !known {
			term = b.addWord(strings.Clone(word)) // a part of text would keep all of it
		}
		if term != dropped {
			b.found = append(b.found, term)
		}
	})
	b.lengths = append(b.lengths, int32(len(b.found)))
	b.vectors.add(b.found)
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
	weights, err := b.finish()
	if err != nil {
		return nil, err
	}
	x := &Index{options: b.options, terms: b.terms, length: len(b.lengths), starts: starts(weights.frequencies)}
	total := x.starts[len(b.terms)]
	x.documents, x.scores = make([]int32, total), make([]float32, total)
	next := append([]int64(nil), x.starts...)
	b.vectors.each(func(document, term, frequency int32) {
		x.documents[next[term]] = document
		x.scores[next[term]] = weights.addend(document, term, frequency)
		next[term]++
	})
	*b = Builder{}
	return x, nil
}

// finish ends the adding of documents and weighs their terms.
func (b *Builder) finish() (*weights, error) {
	if len(b.lengths) == 0 {
		return nil, errors.New("bm25: no documents to index")
	}
	b.vectors.seal()
	b.words = nil
	w := &weights{k1: b.options.K1, b: b.options.B, lengths: b.lengths, frequencies: make([]int32, len(b.terms))}
	b.vectors.each(func(_, term, _ int32) { w.frequencies[term]++ })
	w.weigh()
	return w, nil
}

// starts sums counts up: where each term's postings begin, and at the end where they stop.
func starts(counts []int32) []int64 {
	list := make([]int64, len(counts)+1)
	for i, n := range counts {
		list[i+1] = list[i] + int64(n)
	}
	return list
}

// weights are what a term adds to the score of a document.
type weights struct {
	k1, b       float64
	mean        float64 // length of a document
	lengths     []int32
	frequencies []int32 // documents of each term
	idf         []float32
}

func (w *weights) weigh() {
	total := 0.0
	for _, length := range w.lengths {
		total += float64(length)
	}
	documents := float64(len(w.lengths))
	w.mean = total / documents
	w.idf = make([]float32, len(w.frequencies))
	for term, n := range w.frequencies {
		w.idf[term] = float32(math.Log(1 + (documents-float64(n)+0.5)/(float64(n)+0.5)))
	}
}

// saturation is what is added to a term's frequency below the fraction, for a document.
func (w *weights) saturation(document int32) float64 {
	return w.k1 * ((1 - w.b) + w.b*float64(w.lengths[document])/w.mean)
}

// addend is a term's share of a document's score.
func (w *weights) addend(document, term, frequency int32) float32 {
	tf := float64(frequency)
	return float32(float64(w.idf[term]) * (tf / (w.saturation(document) + tf)))
}
