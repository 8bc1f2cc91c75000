package bm25

import (
	"math"
	"slices"
)

// A posting holds 20 bits of the document and 12 of the impact.
const (
	impactBits   = 12
	impactLevels = 1<<impactBits - 1
	segmentSize  = 1 << (32 - impactBits)
)

// Finder finds, for the documents that it holds, those nearest to them. It is safe for concurrent use through
// searchers, one a goroutine.
//
// A document's nearest are those that Index.Search ranks highest for its text, itself aside: the same scores to
// rounding, none missed. Postings carry impacts, upper bounds of what a term adds. The rarest terms are added up first;
// the terms left when they cannot decide any more are not looked up (MaxScore; Turtle and Flood 1995), and only
// documents whose bounds reach the k-th best score so far are scored, from their own terms.
//
// It holds 9 bytes for each distinct term of each document, 8 for each document, and for each million of documents 8 for
// each term.
type Finder struct {
	weights  *weights
	vectors  vectors
	segments []segment
}

// segment is the postings of documents first … first + length − 1.
type segment struct {
	first    int32
	length   int
	starts   []uint32  // of each term's postings; one more at the end
	postings []uint32  // document − first and impact
	steps    []float32 // of each term: impact · step is no less than what it adds to the document's score
}

// BuildFinder returns a finder of the documents added so far and ends the builder's use.
func (b *Builder) BuildFinder() (*Finder, error) {
	weights, err := b.finish()
	if err != nil {
		return nil, err
	}
	f := &Finder{weights: weights, vectors: b.vectors}
	*b = Builder{}
	f.Keep(func(int32) bool { return true })
	return f, nil
}

// Len returns the number of documents, those not kept included.
func (f *Finder) Len() int { return f.vectors.length }

// Keep makes the searches that follow cheaper: they find only documents that keep approves. Scores stay as they are.
// No search may run meanwhile; searchers made before must not be used afterwards.
func (f *Finder) Keep(keep func(document int32) bool) { f.split(keep, segmentSize) }

// split inverts the documents that keep approves, in segments of a size.
func (f *Finder) split(keep func(document int32) bool, size int) {
	f.segments = nil
	for first := 0; first < f.Len(); first += size {
		var documents []int32
		for document := first; document < min(first+size, f.Len()); document++ {
			if keep(int32(document)) {
				documents = append(documents, int32(document))
			}
		}
		if len(documents) > 0 {
			f.segments = append(f.segments, f.newSegment(documents))
		}
	}
}

// newSegment inverts documents that are at most segmentSize apart.
func (f *Finder) newSegment(documents []int32) segment {
	s := segment{first: documents[0], length: int(documents[len(documents)-1]-documents[0]) + 1, steps: make([]float32, len(f.weights.idf))}
	s.starts = make([]uint32, len(f.weights.idf)+1)
	f.eachAddend(documents, func(_, term int32, addend float32) {
		s.starts[term+1]++
		s.steps[term] = max(s.steps[term], addend)
	})
	for term := range s.steps {
		s.starts[term+1] += s.starts[term]
		s.steps[term] = math.Nextafter32(s.steps[term]/impactLevels, math.MaxFloat32)
	}
	s.postings = make([]uint32, s.starts[len(s.steps)])
	next := slices.Clone(s.starts)
	f.eachAddend(documents, func(document, term int32, addend float32) {
		impact := min(uint32(math.Ceil(float64(addend)/float64(s.steps[term]))), impactLevels)
		s.postings[next[term]] = uint32(document-s.first)<<impactBits | impact
		next[term]++
	})
	return s
}

func (f *Finder) eachAddend(documents []int32, visit func(document, term int32, addend float32)) {
	for _, document := range documents {
		terms, counts := f.vectors.of(document)
		for i, term := range terms {
			visit(document, term, f.weights.addend(document, term, f.vectors.frequency(document, term, counts[i])))
		}
	}
}
