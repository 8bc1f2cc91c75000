package bm25

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// zipfian draws a corpus whose words are as unevenly spread as those of a language, with copies, empty documents and
// words repeated more often than a byte counts.
func zipfian(seed uint64, documents int) []string {
	rng := rand.New(rand.NewPCG(seed, 1))
	words := rand.NewZipf(rng, 1.2, 3, 400)
	corpus := make([]string, documents)
	for i := range corpus {
		switch rng.IntN(20) {
		case 0:
			corpus[i] = corpus[rng.IntN(i+1)]
		case 1:
			corpus[i] = strings.Repeat(fmt.Sprintf("w%d ", words.Uint64()), 1+rng.IntN(700))
		case 2:
		default:
			for range 5 + rng.IntN(60) {
				corpus[i] += fmt.Sprintf("w%d ", words.Uint64())
			}
		}
	}
	return corpus
}

// ranked is what Nearest must find, by the scores of the index.
func ranked(scores []float32, k int, skip func(int32) bool) []Hit {
	var all []Hit
	for document, score := range scores {
		if score > 0 && !skip(int32(document)) {
			all = append(all, Hit{Index: int32(document), Score: score})
		}
	}
	slices.SortStableFunc(all, func(a, b Hit) int { return cmp.Compare(b.Score, a.Score) })
	return all[:min(k, len(all))]
}

// sameRanking compares two rankings place by place: the scores agree to rounding, and so do the documents but for those
// that are equally near to it.
func sameRanking(got, want []Hit, scores []float32) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d documents, want %d", len(got), len(want))
	}
	for i := range got {
		tolerance := 1e-5 * (1 + math.Abs(float64(want[i].Score)))
		if math.Abs(float64(got[i].Score-want[i].Score)) > tolerance || math.Abs(float64(scores[got[i].Index]-want[i].Score)) > tolerance {
			return fmt.Errorf("place %d: %v, want %v", i, got[i], want[i])
		}
		if i > 0 && (got[i].Score > got[i-1].Score || got[i].Score == got[i-1].Score && got[i].Index <= got[i-1].Index) {
			return fmt.Errorf("place %d: %v after %v", i, got[i], got[i-1])
		}
	}
	return nil
}

// TestNearestAreExact compares pruned search with the scores of all documents, over segments of several sizes.
func TestNearestAreExact(t *testing.T) {
	for seed, options := range []Options{Defaults(Analysis{}), {K1: 0.9, B: 0.4}, {K1: 0, B: 0}, {K1: 3, B: 1}} {
		corpus := zipfian(uint64(seed), 700)
		index, finder := build(t, options, corpus), buildFinder(t, options, corpus)
		scores := make([]float32, len(corpus))
		for _, size := range []int{segmentSize, 64, 333} {
			finder.split(func(int32) bool { return true }, size)
			searcher := finder.NewSearcher()
			for document := range int32(len(corpus)) {
				if err := index.Scores(corpus[document], scores); err != nil {
					t.Fatal(err)
				}
				k := 1 + int(document)%40
				skip := func(other int32) bool { return other%5 == document%5 }
				got := searcher.Nearest(document, k, skip)
				want := ranked(scores, k, func(other int32) bool { return other == document || skip(other) })
				if err := sameRanking(got, want, scores); err != nil {
					t.Fatalf("corpus %d, segments of %d, document %d, k %d: %v", seed, size, document, k, err)
				}
			}
		}
	}
}

// What is built does not depend on the threads that build it.
func TestThreadsDoNotMatter(t *testing.T) {
	corpus := zipfian(3, blockDocuments+1500)
	options := Defaults(English)
	wantIndex, want := build(t, options, corpus), buildFinder(t, options, corpus)
	for _, options.Threads = range []int{1, 2, 7} {
		index, got := build(t, options, corpus), buildFinder(t, options, corpus)
		index.options, got.threads = wantIndex.options, want.threads
		if !reflect.DeepEqual(index, wantIndex) {
			t.Errorf("%d threads build another index", options.Threads)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%d threads build another finder", options.Threads)
		}
	}
}

// TestKeep: what is not kept is not found, and nothing else changes.
func TestKeep(t *testing.T) {
	corpus := zipfian(9, 500)
	finder := buildFinder(t, Defaults(Analysis{}), corpus)
	gone := func(document int32) bool { return document%3 != 1 }
	var want [][]Hit
	searcher := finder.NewSearcher()
	for document := range int32(len(corpus)) {
		want = append(want, searcher.Nearest(document, 9, gone))
	}
	finder.split(func(document int32) bool { return !gone(document) }, 100)
	searcher = finder.NewSearcher()
	for document := range int32(len(corpus)) {
		if got := searcher.Nearest(document, 9, nil); !slices.Equal(got, want[document]) {
			t.Fatalf("document %d: got %v, want %v", document, got, want[document])
		}
	}
	finder.Keep(func(int32) bool { return false })
	if got := finder.NewSearcher().Nearest(0, 9, nil); len(got) != 0 {
		t.Errorf("nothing is kept, but found %v", got)
	}
}

// A query of more terms than there are bounds is searched without them.
func TestNearestOfAVeryLongDocument(t *testing.T) {
	var long strings.Builder
	for i := range maxBound {
		fmt.Fprintf(&long, "w%d ", i)
	}
	corpus := []string{long.String(), "w1 w2", "w3 w3 w4 w9", "other", "w7"}
	finder, index := buildFinder(t, Defaults(Analysis{}), corpus), build(t, Defaults(Analysis{}), corpus)
	scores := make([]float32, len(corpus))
	if err := index.Scores(corpus[0], scores); err != nil {
		t.Fatal(err)
	}
	got := finder.NewSearcher().Nearest(0, 2, nil)
	if err := sameRanking(got, ranked(scores, 2, func(other int32) bool { return other == 0 }), scores); err != nil {
		t.Error(err)
	}
}
