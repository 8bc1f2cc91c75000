// Package topk keeps the best k of a stream of scored items in bounded memory.
package topk

import "slices"

// Item is a scored item, named by its index.
type Item struct {
	Index int32
	Score float32
}

// Selector holds the best k items seen so far, and up to k more that are thrown out all at once by quickselect, which
// for large k is faster than a heap. Items are ordered by score; a function breaks ties, so that the result does not
// depend on the order in which items are pushed.
type Selector struct {
	k      int
	before func(a, b int32) bool
	items  []Item
	full   bool // k items have been selected; worst is the last of them
	worst  Item
}

// New returns an empty selector for k ≥ 1 items. before(a, b) says whether item a ranks before item b when their
// scores are equal; it must be a strict total order.
func New(k int, before func(a, b int32) bool) *Selector {
	return &Selector{k: k, before: before}
}

// Threshold returns a score below which no item can enter any more; ok is false while every item can.
func (s *Selector) Threshold() (score float32, ok bool) { return s.worst.Score, s.full }

// Push offers an item; it is dropped where it cannot be among the best.
func (s *Selector) Push(index int32, score float32) {
	item := Item{Index: index, Score: score}
	if s.full && !s.better(item, s.worst) {
		return
	}
	s.items = append(s.items, item)
	if len(s.items) >= 2*s.k {
		s.cut()
	}
}

// Sorted returns the best items, best first, and empties the selector.
func (s *Selector) Sorted() []Item {
	if len(s.items) > s.k {
		s.cut()
	}
	items := s.items
	slices.SortFunc(items, func(a, b Item) int {
		switch {
		case a == b:
			return 0
		case s.better(a, b):
			return -1
		}
		return 1
	})
	s.items, s.full = nil, false
	return items
}

func (s *Selector) better(a, b Item) bool {
	if a.Score != b.Score {
		return a.Score > b.Score
	}
	return s.before(a.Index, b.Index)
}

// cut keeps the best k of more than k items: quickselect moves them to the front, the worst of them last.
func (s *Selector) cut() {
	low, high, last := 0, len(s.items)-1, s.k-1
	for low < high {
		i, j := s.partition(low, high)
		switch {
		case last <= j:
			high = j
		case last >= i:
			low = i
		default:
			low = high
		}
	}
	s.worst, s.full = s.items[last], true
	s.items = s.items[:s.k]
}

// partition splits items[low:high+1] around the item in the middle: up to j none is worse than it, from i on none is
// better, and what lies between is in its place.
func (s *Selector) partition(low, high int) (i, j int) {
	items := s.items
	pivot := items[(low+high)/2]
	i, j = low, high
	for i <= j {
		for s.better(items[i], pivot) {
			i++
		}
		for s.better(pivot, items[j]) {
			j--
		}
		if i <= j {
			items[i], items[j] = items[j], items[i]
			i++
			j--
		}
	}
	return i, j
}
