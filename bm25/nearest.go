package bm25

import (
	"cmp"
	"slices"
)

// nearest keeps the best k of the documents offered, those of equal score by their order. Unlike topk.Selector it
// knows the k-th best after every offer, which pruning lives on; for the few neighbours of a group a heap is fast.
// A document may be offered twice.
type nearest struct {
	k    int
	hits []Hit // a heap, the worst first
}

func (n *nearest) reset(k int) { n.k, n.hits = k, n.hits[:0] }

// threshold is the score of the k-th best; full is false while there are fewer.
func (n *nearest) threshold() (score float32, full bool) {
	if len(n.hits) < n.k {
		return 0, false
	}
	return n.hits[0].Score, true
}

func worse(a, b Hit) bool { return a.Score < b.Score || a.Score == b.Score && a.Index > b.Index }

func (n *nearest) offer(document int32, score float32) {
	hit := Hit{Index: document, Score: score}
	if len(n.hits) == n.k && !worse(n.hits[0], hit) {
		return
	}
	if slices.Contains(n.hits, hit) { // offered before
		return
	}
	if len(n.hits) < n.k {
		n.hits = append(n.hits, hit)
		n.up()
		return
	}
	n.hits[0] = hit
	n.down()
}

func (n *nearest) up() {
	for at := len(n.hits) - 1; at > 0; {
		parent := (at - 1) / 2
		if !worse(n.hits[at], n.hits[parent]) {
			return
		}
		n.hits[at], n.hits[parent] = n.hits[parent], n.hits[at]
		at = parent
	}
}

func (n *nearest) down() {
	for at := 0; ; {
		child := 2*at + 1
		if child+1 < len(n.hits) && worse(n.hits[child+1], n.hits[child]) {
			child++
		}
		if child >= len(n.hits) || !worse(n.hits[child], n.hits[at]) {
			return
		}
		n.hits[at], n.hits[child] = n.hits[child], n.hits[at]
		at = child
	}
}

// sorted returns the best, best first.
func (n *nearest) sorted() []Hit {
	hits := slices.Clone(n.hits)
	slices.SortFunc(hits, func(a, b Hit) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Index, b.Index))
	})
	return hits
}
