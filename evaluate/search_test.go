package evaluate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
)

// vectors draws coarse numbers, so that equal scores are common.
func vectors(rng *rand.Rand, n, dim int) []float32 {
	out := make([]float32, n*dim)
	for i := range out {
		out[i] = float32(rng.IntN(5)-2) / 4
	}
	return out
}

func documentIDs(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprint("d", i*7919%n)
	}
	return ids
}

func bySorting(queries, documents []float32, ids []string, dim, k int) [][]Hit {
	var all [][]Hit
	for q := 0; q < len(queries); q += dim {
		var hits []Hit
		for d, id := range ids {
			sum := 0.0
			for c := range dim {
				sum += float64(queries[q+c]) * float64(documents[d*dim+c])
			}
			hits = append(hits, Hit{id, float32(sum)})
		}
		SortHits(hits)
		all = append(all, hits[:min(k, len(hits))])
	}
	return all
}

// noisyProduct errs as a matrix product may whose order of summation depends on the block.
func noisyProduct(queries, docs []float32, nq, nd, dim int, out []float32) error {
	if err := PlainProduct(queries, docs, nq, nd, dim, out); err != nil {
		return err
	}
	for i := range out {
		out[i] += float32(i%3-1) * 0x1p-22
	}
	return nil
}

func TestSearchEqualsSortingForEveryBlockSize(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	const n, dim, k = 5000, 12, 20
	queries, documents, ids := vectors(rng, 9, dim), vectors(rng, n, dim), documentIDs(n)
	want := bySorting(queries, documents, ids, dim, k)
	for _, product := range []Product{PlainProduct, noisyProduct} {
		for _, block := range []int{1, 7, 640, 4096, n} {
			s, err := NewSearch(queries, dim, k, nil, product)
			if err != nil {
				t.Fatal(err)
			}
			for start := 0; start < n; start += block {
				end := min(start+block, n)
				if err := s.Add(ids[start:end], documents[start*dim:end*dim]); err != nil {
					t.Fatal(err)
				}
			}
			if got := s.Hits(); !reflect.DeepEqual(got, want) {
				t.Fatalf("block size %d: hits differ from sorting all scores", block)
			}
		}
	}
}

func TestSearchLeavesOutExcludedDocument(t *testing.T) {
	s, err := NewSearch([]float32{1, 0, 1, 0}, 2, 2, func(query int, document string) bool {
		return document == []string{"b", "c"}[query]
	}, PlainProduct)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Add([]string{"a", "b", "c"}, []float32{1, 0, 2, 0, 3, 0}); err != nil {
		t.Fatal(err)
	}
	want := [][]Hit{{{"c", 3}, {"a", 1}}, {{"b", 2}, {"a", 1}}}
	if got := s.Hits(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestSearchErrors(t *testing.T) {
	nan := float32(math.NaN())
	if _, err := NewSearch([]float32{1, 2, 1, nan}, 2, 3, nil, PlainProduct); fmt.Sprint(err) != "search: query 2: the embedding has NaN in dimension 2 of 2" {
		t.Errorf("NaN query: %v", err)
	}
	if _, err := NewSearch([]float32{1, 2, 3}, 2, 3, nil, PlainProduct); fmt.Sprint(err) != "search: 3 numbers are no whole number of queries of dimension 2" {
		t.Errorf("ragged queries: %v", err)
	}
	if _, err := NewSearch([]float32{1, 2}, 2, 0, nil, PlainProduct); fmt.Sprint(err) != "search: top_k is 0, expected at least 1" {
		t.Errorf("top_k 0: %v", err)
	}
	s, err := NewSearch([]float32{1, 2}, 2, 3, nil, PlainProduct)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Add([]string{"a"}, []float32{1, 2, 3}); fmt.Sprint(err) != "search: 1 documents have 3 numbers, expected dimension 2 as the queries have" {
		t.Errorf("wrong dimension: %v", err)
	}
	infinite := float32(math.Inf(1))
	if err := s.Add([]string{"a", "b"}, []float32{1, 2, infinite, 0}); fmt.Sprint(err) != `search: document "b": the embedding has +Inf in dimension 1 of 2` {
		t.Errorf("infinite document: %v", err)
	}
	failing := func([]float32, []float32, int, int, int, []float32) error { return fmt.Errorf("out of memory") }
	s, err = NewSearch([]float32{1, 2}, 2, 3, nil, failing)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Add([]string{"a"}, []float32{1, 2}); fmt.Sprint(err) != "search: multiply: out of memory" {
		t.Errorf("failing product: %v", err)
	}
}
