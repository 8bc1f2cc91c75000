// Package topk keeps the best k of a stream of scored items in a bounded heap.
package topk

import "sort"

// Item is a scored item, named by its index.
type Item struct {
	Index int32
	Score float32
}

// Heap holds the best k items seen so far. Items are ordered by score; Before breaks ties, so that
// the result does not depend on the order in which items are pushed.
type Heap struct {
	k      int
	before func(a, b int32) bool
	items  []Item // items[0] is the worst one kept
}

// New returns an empty heap for k items. before(a, b) says whether item a ranks before item b
// when their scores are equal; it must be a strict total order.
func New(k int, before func(a, b int32) bool) *Heap {
	return &Heap{k: k, before: before}
}

// Threshold returns the score below which no item can enter any more; ok is false while every item can.
func (h *Heap) Threshold() (score float32, ok bool) {
	if len(h.items) < h.k || h.k == 0 {
		return 0, false
	}
	return h.items[0].Score, true
}

// Push offers an item; it is dropped where k better ones are held.
func (h *Heap) Push(index int32, score float32) {
	item := Item{Index: index, Score: score}
	switch {
	case len(h.items) < h.k:
		h.items = append(h.items, item)
		h.up(len(h.items) - 1)
	case h.k > 0 && h.worse(h.items[0], item):
		h.items[0] = item
		h.down(0)
	}
}

// Sorted returns the items held, best first, and leaves the heap empty.
func (h *Heap) Sorted() []Item {
	items := h.items
	h.items = nil
	sort.Slice(items, func(i, j int) bool { return h.worse(items[j], items[i]) })
	return items
}

func (h *Heap) worse(a, b Item) bool {
	if a.Score != b.Score {
		return a.Score < b.Score
	}
	return h.before(b.Index, a.Index)
}

func (h *Heap) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !h.worse(h.items[i], h.items[parent]) {
			return
		}
		h.items[i], h.items[parent] = h.items[parent], h.items[i]
		i = parent
	}
}

func (h *Heap) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(h.items) {
			return
		}
		if right := child + 1; right < len(h.items) && h.worse(h.items[right], h.items[child]) {
			child = right
		}
		if !h.worse(h.items[child], h.items[i]) {
			return
		}
		h.items[i], h.items[child] = h.items[child], h.items[i]
		i = child
	}
}
