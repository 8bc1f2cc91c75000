package bm25

import (
	"cmp"
	"math"
	"slices"
	"unsafe"
)

// A bound takes 15 of 16 bits, so that four of them, read as one word, are compared at once.
const (
	maxBound = 1<<15 - 1
	lanes    = 4
	eachLane = 0x0001_0001_0001_0001
	topBits  = (maxBound + 1) * eachLane
	unrolled = 4 // words, which divide a segment's
)

// filterSize is how many remainders of terms the filter of a query's terms tells apart.
const filterSize = 1 << 12

// restShare is the share of the k-th best score that the terms not looked up may add: a larger one leaves out more
// postings and lets more documents through that must be scored. Measured on 10,000 to 1,000,000 chunks of 120 words.
const restShare = 0.28

// Searcher is one goroutine's room for searching: 2 bytes for each document of a segment, 4 for each term.
type Searcher struct {
	finder  *Finder
	query   []queryTerm
	weights []float32            // of the query's terms, by term; 0 for all others
	filter  [filterSize]uint8    // 1 at the remainders of the query's terms
	places  []int32              // of a document's terms that pass the filter
	bounds  *[segmentSize]uint16 // of the segment's documents: what their scores cannot exceed, in units of 1/scale
	scale   float64
	lead    int // the bound that leaders had last
	best    nearest
	skip    func(document int32) bool
}

// queryTerm is a term of the query, as it stands in a segment.
type queryTerm struct {
	term     int32
	repeated float32 // times in the query
	bound    float32 // the most that it adds to a score
	postings []uint32
}

// NewSearcher returns a searcher.
func (f *Finder) NewSearcher() *Searcher {
	return &Searcher{finder: f, weights: make([]float32, len(f.weights.idf)), bounds: new([segmentSize]uint16), lead: maxBound / 4}
}

// Nearest returns the k documents that are nearest to a document, itself and those that skip names aside, nearest
// first, and of equally near ones the one added first. Documents that share no term with it are none. skip may be nil.
func (s *Searcher) Nearest(document int32, k int, skip func(document int32) bool) []Hit {
	f := s.finder
	terms, counts := f.vectors.of(document)
	s.query = s.query[:0]
	for i, term := range terms {
		repeated := float32(f.vectors.frequency(document, term, counts[i]))
		s.query = append(s.query, queryTerm{term: term, repeated: repeated})
		s.weights[term] = repeated * f.weights.idf[term]
		s.filter[term%filterSize] = 1
	}
	s.best.reset(k)
	s.skip = func(other int32) bool { return other == document || skip != nil && skip(other) }
	for i := range f.segments {
		s.search(&f.segments[i])
	}
	for _, term := range terms {
		s.weights[term], s.filter[term%filterSize] = 0, 0
	}
	return s.best.sorted()
}

// search offers the best of a segment's documents.
func (s *Searcher) search(g *segment) {
	rest := s.prepare(g)
	// Every addition rounds up by less than 1, so that no sum needs the highest bit of a lane.
	s.scale = (maxBound - 2*float64(len(s.query))) / rest
	if rest == 0 || s.scale <= 0 {
		s.scoreShared(g)
		return
	}
	added, looked := 0, false
	for i := range s.query {
		t := &s.query[i]
		threshold, full := s.best.threshold()
		if full && rest < restShare*float64(threshold) {
			break
		}
		if !full && !looked && added > g.length/4 {
			looked = true
			s.scoreLeaders(g)
		}
		s.add(t, g.steps[t.term])
		added += len(t.postings)
		rest -= float64(t.bound)
	}
	s.scoreRest(g, max(rest, 0))
	clear(s.bounds[:g.length])
}

// prepare finds the query's terms in a segment, those with few postings for what they may add first. It returns the sum
// of all bounds.
func (s *Searcher) prepare(g *segment) (total float64) {
	for i := range s.query {
		t := &s.query[i]
		t.postings = g.postings[g.starts[t.term]:g.starts[t.term+1]]
		t.bound = t.repeated * g.steps[t.term] * impactLevels * (1 + 1e-6)
		total += float64(t.bound)
	}
	slices.SortFunc(s.query, func(a, b queryTerm) int {
		return cmp.Or(cmp.Compare(float32(len(a.postings))*b.bound, float32(len(b.postings))*a.bound), cmp.Compare(a.term, b.term))
	})
	return total
}

// add adds what a term may add to the bounds of its documents.
func (s *Searcher) add(t *queryTerm, step float32) {
	factor := uint64(math.Ceil(float64(t.repeated) * float64(step) * s.scale * (1 << 16))) // 16 bits behind the point
	bounds, postings := s.bounds, t.postings
	for ; len(postings) >= 4; postings = postings[4:] {
		a, b, c, d := postings[0], postings[1], postings[2], postings[3]
		bounds[a>>impactBits] += uint16(uint64(a&impactLevels)*factor>>16) + 1
		bounds[b>>impactBits] += uint16(uint64(b&impactLevels)*factor>>16) + 1
		bounds[c>>impactBits] += uint16(uint64(c&impactLevels)*factor>>16) + 1
		bounds[d>>impactBits] += uint16(uint64(d&impactLevels)*factor>>16) + 1
	}
	for _, p := range postings {
		bounds[p>>impactBits] += uint16(uint64(p&impactLevels)*factor>>16) + 1
	}
}

// reaching visits the segment's documents, skipped ones aside, whose bounds are at least cut, 1 … maxBound.
func (s *Searcher) reaching(g *segment, cut int, visit func(document int32)) {
	const step = lanes * unrolled
	words := unsafe.Slice((*uint64)(unsafe.Pointer(s.bounds)), (g.length+step-1)/step*unrolled)
	offset := uint64(maxBound+1-cut) * eachLane
	for first := 0; first < len(words); first += unrolled {
		w := words[first : first+unrolled : first+unrolled]
		if ((w[0]+offset)|(w[1]+offset)|(w[2]+offset)|(w[3]+offset))&topBits == 0 {
			continue
		}
		for at := lanes * first; at < lanes*first+step; at++ {
			if int(s.bounds[at]) < cut {
				continue
			}
			if document := g.first + int32(at); !s.skip(document) {
				visit(document)
			}
		}
	}
}

// scoreLeaders scores the documents of the highest bounds, more than k where there are as many. It starts where the
// leaders of the last query were.
func (s *Searcher) scoreLeaders(g *segment) {
	for count := math.MaxInt; count > 8*(s.best.k+1) && s.lead < maxBound/2; {
		s.lead = s.lead*4/3 + 1
		count = s.reached(g)
	}
	for s.lead > 1 && s.reached(g) <= s.best.k {
		s.lead = s.lead * 4 / 5
	}
	s.reaching(g, max(1, s.lead), s.score)
}

// reached counts the documents whose bounds are at least lead.
func (s *Searcher) reached(g *segment) (n int) {
	s.reaching(g, max(1, s.lead), func(int32) { n++ })
	return n
}

// scoreRest scores the documents that may be among the best, where terms not looked up add at most rest.
func (s *Searcher) scoreRest(g *segment, rest float64) {
	if _, full := s.best.threshold(); !full {
		s.scoreLeaders(g)
	}
	cut := 1
	if threshold, full := s.best.threshold(); full {
		cut = int(min(max(1, (float64(threshold)*(1-1e-6)-rest)*s.scale), maxBound))
	}
	s.reaching(g, cut, s.score)
}

// score offers a document with its score, summed over its terms in their order.
func (s *Searcher) score(document int32) {
	f := s.finder
	terms, counts := f.vectors.of(document)
	saturation := f.weights.saturation(document)
	sum := 0.0
	for _, i := range s.shared(terms) {
		term := terms[i]
		tf := float64(f.vectors.frequency(document, term, counts[i]))
		sum += float64(s.weights[term]) * (tf / (saturation + tf))
	}
	s.best.offer(document, float32(sum))
}

// shared returns the places of the terms that the query may have, without a branch that depends on them.
func (s *Searcher) shared(terms []int32) []int32 {
	if len(terms) > len(s.places) {
		s.places = make([]int32, 2*len(terms))
	}
	places, n := s.places[:len(terms)], 0
	for i, term := range terms {
		places[n] = int32(i)
		n += int(s.filter[uint32(term)%filterSize])
	}
	return places[:n]
}

// scoreShared scores every document that shares a term, where the query has too many terms for bounds.
func (s *Searcher) scoreShared(g *segment) {
	for _, t := range s.query {
		for _, p := range t.postings {
			if document := g.first + int32(p>>impactBits); !s.skip(document) {
				s.score(document)
			}
		}
	}
}
