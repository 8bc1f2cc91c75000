package tokenizer

import (
	"fmt"
	"math"
	"math/bits"
	"sync"
)

// mergeTable maps a pair of ids to the rank of its merge and the id of what it merges into. It is a hash table with
// open addressing, several times faster than a Go map here.
type mergeTable struct {
	slots []mergeSlot
	shift int
	long  sync.Pool // *mergeQueue
}

type mergeSlot struct {
	pair     uint64
	rank, id int32 // rank -1: empty
}

// noMerge is the rank of a pair that does not merge.
const noMerge = math.MaxInt32

func newMergeTable(vocab map[string]int32, merges [][2]string) (*mergeTable, error) {
	size := bits.Len(uint(2*len(merges) + 1))
	t := &mergeTable{slots: make([]mergeSlot, 1<<size), shift: 64 - size}
	t.long.New = func() any { return new(mergeQueue) }
	for i := range t.slots {
		t.slots[i].rank = -1
	}
	for rank, pair := range merges {
		var ids [3]int32
		for i, token := range [3]string{pair[0], pair[1], pair[0] + pair[1]} {
			id, ok := vocab[token]
			if !ok {
				return nil, fmt.Errorf("merge %d (%q %q): %q is not in the vocabulary", rank, pair[0], pair[1], token)
			}
			ids[i] = id
		}
		t.put(mergeSlot{pairKey(ids[0], ids[1]), int32(rank), ids[2]})
	}
	return t, nil
}

func pairKey(a, b int32) uint64 {
	return uint64(uint32(a))<<32 | uint64(uint32(b))
}

func (t *mergeTable) index(pair uint64) int {
	return int(pair * 0x9E3779B97F4A7C15 >> t.shift)
}

// put adds a merge; of two merges of the same pair the later wins, as in HF.
func (t *mergeTable) put(m mergeSlot) {
	i := t.index(m.pair)
	for t.slots[i].rank >= 0 && t.slots[i].pair != m.pair {
		i = (i + 1) & (len(t.slots) - 1)
	}
	t.slots[i] = m
}

// get returns the rank and result of a pair, or noMerge.
func (t *mergeTable) get(a, b int32) (rank, id int32) {
	pair := pairKey(a, b)
	for i := t.index(pair); t.slots[i].rank >= 0; i = (i + 1) & (len(t.slots) - 1) {
		if t.slots[i].pair == pair {
			return t.slots[i].rank, t.slots[i].id
		}
	}
	return noMerge, 0
}

// maxScan is the longest word that is merged by scanning for the best pair; a queue is faster above.
const maxScan = 64

// merge merges ids in place, the pair of the lowest rank first and of equal ones the leftmost, and returns what is left.
func (t *mergeTable) merge(ids []int32) []int32 {
	if len(ids) < 2 {
		return ids
	}
	if len(ids) > maxScan {
		q := t.long.Get().(*mergeQueue)
		defer t.long.Put(q)
		return q.merge(t, ids)
	}
	var ranks, results [maxScan]int32 // of the pair that begins at i
	for i := 0; i+1 < len(ids); i++ {
		ranks[i], results[i] = t.get(ids[i], ids[i+1])
	}
	for n := len(ids); n > 1; {
		at, best := 0, int32(noMerge)
		for i, rank := range ranks[:n-1] {
			if rank < best {
				at, best = i, rank
			}
		}
		if best == noMerge {
			break
		}
		ids[at] = results[at]
		copy(ids[at+1:], ids[at+2:])
		n--
		ids = ids[:n]
		copy(ranks[at:n], ranks[at+1:n])
		copy(results[at:n], results[at+1:n])
		if at > 0 {
			ranks[at-1], results[at-1] = t.get(ids[at-1], ids[at])
		}
		if at+1 < n {
			ranks[at], results[at] = t.get(ids[at], ids[at+1])
		}
	}
	return ids
}
