package evaluate

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"

	"revela/internal/dot"
	"revela/internal/topk"
)

// Product writes all inner products of nq queries [nq, dim] and nd documents [nd, dim] to out [nq, nd]. It must
// accumulate in IEEE float32 or better (no TF32, no bfloat16): the search allows for that error and no more.
type Product func(queries []float32, docs []float32, nq, nd, dim int, out []float32) error

// Exclude reports whether a query, by its index, must not find a document.
type Exclude func(query int, document string) bool

// Tiles bound the matrix of products that is held at a time: 1024 × 4096 float32 are 16 MiB.
const (
	queryTile    = 1024
	documentTile = 4096
)

// Search finds the exact k nearest documents of every query by inner product. Documents come in blocks of any
// size; the result does not depend on the blocks, nor on how product rounds: products only pick candidates, whose
// scores are then summed in float64 and rounded to float32. Hits are in trec_eval's order.
type Search struct {
	dim     int
	queries []float32
	wide    []float64 // the queries again
	norms   []float64 // of the queries
	best    []*topk.Selector
	ids     []string // of all documents added
	exclude Exclude
	product Product
	out     []float32
}

// NewSearch prepares a search for queries [n, dim]; exclude may be nil. Memory does not grow with the documents but for
// their ids: it holds the queries three times over, 2k items of 8 bytes a query and a tile of products.
func NewSearch(queries []float32, dim, k int, exclude Exclude, product Product) (*Search, error) {
	if dim <= 0 || len(queries)%dim != 0 {
		return nil, fmt.Errorf("search: %d numbers are no whole number of queries of dimension %d", len(queries), dim)
	}
	if k <= 0 {
		return nil, fmt.Errorf("search: top_k is %d, expected at least 1", k)
	}
	n := len(queries) / dim
	s := &Search{dim: dim, queries: queries, wide: make([]float64, len(queries)), norms: make([]float64, n),
		best: make([]*topk.Selector, n), exclude: exclude, product: product}
	for i, x := range queries {
		s.wide[i] = float64(x)
	}
	for i := range n {
		norm, err := finiteNorm(s.query(i))
		if err != nil {
			return nil, fmt.Errorf("search: query %d: %w", i+1, err)
		}
		s.norms[i] = norm
		s.best[i] = topk.New(k, s.ranksBefore)
	}
	return s, nil
}

// ranksBefore breaks ties as trec_eval does: by document id, descending.
func (s *Search) ranksBefore(a, b int32) bool { return s.ids[a] > s.ids[b] }

func (s *Search) query(i int) []float32 { return s.queries[i*s.dim : (i+1)*s.dim] }

// Add searches a block of documents [len(ids), dim].
func (s *Search) Add(ids []string, documents []float32) error {
	if len(documents) != len(ids)*s.dim {
		return fmt.Errorf("search: %d documents have %d numbers, expected dimension %d as the queries have",
			len(ids), len(documents), s.dim)
	}
	if len(s.ids)+len(ids) > math.MaxInt32 {
		return fmt.Errorf("search: more than %d documents", math.MaxInt32)
	}
	for start := 0; start < len(ids); start += documentTile {
		end := min(start+documentTile, len(ids))
		if err := s.addTile(ids[start:end], documents[start*s.dim:end*s.dim]); err != nil {
			return fmt.Errorf("search: %w", err)
		}
	}
	return nil
}

func (s *Search) addTile(ids []string, documents []float32) error {
	longest, err := s.longest(ids, documents)
	if err != nil {
		return err
	}
	first := len(s.ids)
	s.ids = append(s.ids, ids...)
	for start := 0; start < len(s.best); start += queryTile {
		end := min(start+queryTile, len(s.best))
		needed := (end - start) * len(ids)
		if cap(s.out) < needed {
			s.out = make([]float32, needed)
		}
		out := s.out[:needed]
		if err := s.product(s.queries[start*s.dim:end*s.dim], documents, end-start, len(ids), s.dim, out); err != nil {
			return fmt.Errorf("multiply: %w", err)
		}
		inParallel(end-start, func(i int) {
			s.offer(start+i, first, documents, out[i*len(ids):(i+1)*len(ids)], longest)
		})
	}
	return nil
}

// longest returns the greatest length of the documents; the first of them that is not finite is an error.
func (s *Search) longest(ids []string, documents []float32) (float64, error) {
	lengths, errs := make([]float64, len(ids)), make([]error, len(ids))
	inParallel(len(ids), func(i int) {
		lengths[i], errs[i] = finiteNorm(documents[i*s.dim : (i+1)*s.dim])
	})
	for i, err := range errs {
		if err != nil {
			return 0, fmt.Errorf("document %q: %w", ids[i], err)
		}
	}
	return slices.Max(lengths), nil
}

// offer pushes the documents of a tile that can be among the best of a query.
func (s *Search) offer(query, first int, documents, products []float32, longest float64) {
	best, vector := s.best[query], s.wide[query*s.dim:(query+1)*s.dim]
	// Any order of float32 summation errs by less than dim·2⁻²³·|q|·|d|; the rest covers the rounding of the score.
	slack := float32(float64(s.dim+8) * 0x1p-23 * s.norms[query] * longest)
	least := float32(math.Inf(-1))
	for i, product := range products {
		if product < least {
			continue
		}
		if s.exclude != nil && s.exclude(query, s.ids[first+i]) {
			continue
		}
		best.Push(int32(first+i), float32(dot.Product(vector, documents[i*s.dim:(i+1)*s.dim])))
		if threshold, full := best.Threshold(); full {
			least = threshold - slack
		}
	}
}

// Hits returns the best documents of every query, in trec_eval's order, and ends the search.
func (s *Search) Hits() [][]Hit {
	hits := make([][]Hit, len(s.best))
	inParallel(len(hits), func(i int) {
		for _, item := range s.best[i].Sorted() {
			hits[i] = append(hits[i], Hit{Document: s.ids[item.Index], Score: item.Score})
		}
	})
	return hits
}

// finiteNorm returns a vector's length; a NaN or an infinity in it is an error.
func finiteNorm(vector []float32) (float64, error) {
	squares := sumOfSquares(vector)
	if !math.IsNaN(squares) && !math.IsInf(squares, 0) {
		return math.Sqrt(squares), nil
	}
	for i, x := range vector {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return 0, fmt.Errorf("the embedding has %g in dimension %d of %d", x, i+1, len(vector))
		}
	}
	return 0, fmt.Errorf("the embedding's length overflows")
}

func sumOfSquares(vector []float32) float64 {
	var s0, s1, s2, s3 float64
	i := 0
	for ; i+4 <= len(vector); i += 4 {
		a, b, c, d := float64(vector[i]), float64(vector[i+1]), float64(vector[i+2]), float64(vector[i+3])
		s0, s1, s2, s3 = s0+a*a, s1+b*b, s2+c*c, s3+d*d
	}
	for _, x := range vector[i:] {
		s0 += float64(x) * float64(x)
	}
	return (s0 + s1) + (s2 + s3)
}

// PlainProduct is a Product in plain Go, for small searches without a tensor library.
func PlainProduct(queries, docs []float32, nq, nd, dim int, out []float32) error {
	inParallel(nq, func(i int) {
		q := queries[i*dim : (i+1)*dim]
		for j := range nd {
			sum, d := float32(0), docs[j*dim:(j+1)*dim]
			for c := range q {
				sum += q[c] * d[c]
			}
			out[i*nd+j] = sum
		}
	})
	return nil
}

// inParallel calls f for 0 … n-1 on all cores.
func inParallel(n int, f func(i int)) {
	workers := min(runtime.GOMAXPROCS(0), n)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w * n / workers; i < (w+1)*n/workers; i++ {
				f(i)
			}
		})
	}
	wg.Wait()
}
