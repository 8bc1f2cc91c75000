package bm25

import "math"

// A posting holds 20 bits of the document and 12 of the impact.
const (
	impactBits   = 12
	impactLevels = 1<<impactBits - 1
	segmentSize  = 1 << (32 - impactBits)
)

// segment is the postings of documents first … first + length − 1.
type segment struct {
	first    int32
	length   int
	starts   []uint32  // of each term's postings; one more at the end
	postings []uint32  // document − first and impact
	steps    []float32 // of each term: impact · step is no less than what it adds to the document's score
}

// newSegment inverts documents that are at most segmentSize apart. Threads take the documents in parts and write to places
// of their own, so that the order does not depend on them.
func (f *Finder) newSegment(documents []int32) segment {
	terms := len(f.weights.idf)
	s := segment{first: documents[0], length: int(documents[len(documents)-1]-documents[0]) + 1}
	s.starts, s.steps = make([]uint32, terms+1), make([]float32, terms)
	ranges := parts(len(documents), f.threads)
	counts, steps := make([][]uint32, len(ranges)), make([][]float32, len(ranges))
	inParallel(len(ranges), len(ranges), func(part int) {
		counts[part], steps[part] = f.countTerms(documents[ranges[part].from:ranges[part].to])
	})
	total := uint32(0)
	for term := range terms {
		s.starts[term] = total
		for part := range ranges {
			counts[part][term], total = total, total+counts[part][term]
			s.steps[term] = max(s.steps[term], steps[part][term])
		}
		s.steps[term] = math.Nextafter32(s.steps[term]/impactLevels, math.MaxFloat32)
	}
	s.starts[terms] = total
	s.postings = make([]uint32, total)
	inParallel(len(ranges), len(ranges), func(part int) {
		f.invert(&s, documents[ranges[part].from:ranges[part].to], counts[part])
	})
	return s
}

// countTerms counts each term's documents, and finds the most that it adds to one of them.
func (f *Finder) countTerms(documents []int32) (counts []uint32, most []float32) {
	counts, most = make([]uint32, len(f.weights.idf)), make([]float32, len(f.weights.idf))
	f.eachAddend(documents, func(_, term int32, addend float32) {
		counts[term]++
		most[term] = max(most[term], addend)
	})
	return counts, most
}

// invert writes the postings of documents, each term's from a place on.
func (f *Finder) invert(s *segment, documents []int32, next []uint32) {
	f.eachAddend(documents, func(document, term int32, addend float32) {
		impact := min(uint32(math.Ceil(float64(addend)/float64(s.steps[term]))), impactLevels)
		s.postings[next[term]] = uint32(document-s.first)<<impactBits | impact
		next[term]++
	})
}

// eachAddend visits the terms of documents with what they add to these.
func (f *Finder) eachAddend(documents []int32, visit func(document, term int32, addend float32)) {
	for _, document := range documents {
		terms, counts := f.vectors.of(document)
		saturation := f.weights.saturation(document)
		for i, term := range terms {
			tf := float64(f.vectors.frequency(document, term, counts[i]))
			visit(document, term, f.weights.addendOf(term, tf, saturation))
		}
	}
}
