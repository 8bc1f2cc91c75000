package topk

import (
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
)

// TestSelectorEqualsSorting draws few distinct scores, so that ties are common, and pushes in random order.
func TestSelectorEqualsSorting(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	higherIndex := func(a, b int32) bool { return a > b }
	for trial := range 2000 {
		all := make([]Item, rng.IntN(60))
		for i := range all {
			all[i] = Item{Index: int32(i), Score: float32(rng.IntN(5))}
		}
		k := 1 + rng.IntN(30)
		selector := New(k, higherIndex)
		for _, i := range rng.Perm(len(all)) {
			selector.Push(all[i].Index, all[i].Score)
		}
		sort.Slice(all, func(i, j int) bool {
			if all[i].Score != all[j].Score {
				return all[i].Score > all[j].Score
			}
			return all[i].Index > all[j].Index
		})
		want := all[:min(k, len(all))]
		if threshold, ok := selector.Threshold(); ok && threshold > want[k-1].Score {
			t.Errorf("trial %d: threshold %g, want at most %g", trial, threshold, want[k-1].Score)
		}
		if got := selector.Sorted(); !slices.Equal(got, want) {
			t.Fatalf("trial %d: got %v, want %v", trial, got, want)
		}
	}
}
