package bm25

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
	threads  int
}

// BuildFinder returns a finder of the documents added so far and ends the builder's use.
func (b *Builder) BuildFinder() (*Finder, error) {
	weights, err := b.finish()
	if err != nil {
		return nil, err
	}
	f := &Finder{weights: weights, vectors: b.vectors, threads: min(max(1, b.options.Threads), maxParts)}
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
