package bm25

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Builder collects documents for an index or a finder. Until then it holds 5 bytes for each distinct term of each
// document, the words met, and the texts of the latest documents: up to 4096, whose terms several threads look for at once.
type Builder struct {
	options Options
	terms   map[string]int32
	words   map[string]int32 // word before stop words and stemming → its term, or dropped
	vectors vectors
	lengths []int32 // of the documents, in terms
	batch   []pendingDocument
}

// pendingDocument is a document whose terms are not in the vectors yet.
type pendingDocument struct {
	text    string
	terms   []int32  // −1 − i for word i of unknown
	unknown []string // words that no document before the batch has
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
func (b *Builder) Len() int { return len(b.lengths) + len(b.batch) }

// Add adds a document; the first one has position 0. An empty one counts as a document without terms. The text must stay as
// it is until the index is built.
func (b *Builder) Add(text string) error {
	if b.Len() == math.MaxInt32 {
		return errors.New("bm25: too many documents for one index")
	}
	if b.batch == nil {
		b.batch = make([]pendingDocument, 0, blockDocuments)
	}
	b.batch = b.batch[:len(b.batch)+1]
	b.batch[len(b.batch)-1].text = text
	if len(b.batch) == blockDocuments {
		b.addBatch()
	}
	return nil
}

// addBatch finds the terms of the documents at hand: known words on all threads, then new ones in the order of the
// documents, so that terms are numbered as one thread would.
func (b *Builder) addBatch() {
	ranges := parts(len(b.batch), 16*b.options.Threads)
	inParallel(len(ranges), b.options.Threads, func(part int) {
		for i := ranges[part].from; i < ranges[part].to; i++ {
			b.lookUp(&b.batch[i])
		}
	})
	for i := range b.batch {
		b.addUnknown(&b.batch[i])
	}
	inParallel(len(ranges), b.options.Threads, func(part int) {
		for i := ranges[part].from; i < ranges[part].to; i++ {
			slices.Sort(b.batch[i].terms)
		}
	})
	for i := range b.batch {
		d := &b.batch[i]
		b.lengths = append(b.lengths, int32(len(d.terms)))
		b.vectors.add(d.terms)
		if d.text = ""; cap(d.terms) > maxKeptTerms {
			d.terms = nil
		}
	}
	b.batch = b.batch[:0]
}

// maxKeptTerms is up to what size a document's room is used again.
const maxKeptTerms = 1 << 12

// lookUp finds the terms of a document's words as far as they are known.
func (b *Builder) lookUp(d *pendingDocument) {
	d.terms, d.unknown = d.terms[:0], nil
	b.options.Analysis.eachWord(d.text, func(word string) {
		term, known := b.words[word]
		switch {
		case !known:
			d.unknown = append(d.unknown, word)
			d.terms = append(d.terms, -int32(len(d.unknown)))
		case term != dropped:
			d.terms = append(d.terms, term)
		}
	})
}

// addUnknown gives the words that were not known their terms.
func (b *Builder) addUnknown(d *pendingDocument) {
	if len(d.unknown) == 0 {
		return
	}
	kept := d.terms[:0]
	for _, term := range d.terms {
		if term < 0 {
			word, known := d.unknown[-term-1], false
			if term, known = b.words[word]; !known {
				term = b.addWord(strings.Clone(word)) // a part of text would keep all of it
			}
		}
		if term != dropped {
			kept = append(kept, term)
		}
	}
	d.terms, d.unknown = kept, nil
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
	b.addBatch()
	if len(b.lengths) == 0 {
		return nil, errors.New("bm25: no documents to index")
	}
	b.vectors.seal()
	b.words, b.batch = nil, nil
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
	return w.addendOf(term, float64(frequency), w.saturation(document))
}

func (w *weights) addendOf(term int32, tf, saturation float64) float32 {
	return float32(float64(w.idf[term]) * (tf / (saturation + tf)))
}
