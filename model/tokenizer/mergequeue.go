package tokenizer

// mergeQueue merges long words in n log n: a binary heap of candidate pairs over a linked list of symbols.
type mergeQueue struct {
	heap       []candidate
	next, prev []int32 // neighbours of a symbol, -1 for none
}

// candidate is a pair that begins at symbol at; stale once its symbols have been merged otherwise.
type candidate struct {
	rank, at, id int32
}

func (a candidate) less(b candidate) bool {
	return a.rank < b.rank || a.rank == b.rank && a.at < b.at
}

const removed = -1 // id of a symbol that was merged into the one before it

func (q *mergeQueue) merge(t *mergeTable, ids []int32) []int32 {
	q.link(len(ids))
	for i := range ids {
		q.offer(t, ids, int32(i))
	}
	for len(q.heap) > 0 {
		c := q.pop()
		if ids[c.at] == removed || q.next[c.at] < 0 {
			continue
		}
		right := q.next[c.at]
		if rank, id := t.get(ids[c.at], ids[right]); rank == noMerge || id != c.id {
			continue
		}
		ids[c.at], ids[right] = c.id, removed
		q.next[c.at] = q.next[right]
		if after := q.next[right]; after >= 0 {
			q.prev[after] = c.at
		}
		if q.prev[c.at] >= 0 {
			q.offer(t, ids, q.prev[c.at])
		}
		q.offer(t, ids, c.at)
	}
	out := ids[:0]
	for _, id := range ids {
		if id != removed {
			out = append(out, id)
		}
	}
	return out
}

// link resets the list to n symbols in a row.
func (q *mergeQueue) link(n int) {
	q.heap, q.next, q.prev = q.heap[:0], q.next[:0], q.prev[:0]
	for i := range n {
		q.prev = append(q.prev, int32(i-1))
		q.next = append(q.next, int32(i+1))
	}
	q.next[n-1] = -1
}

// offer pushes the pair that begins at i, if it merges.
func (q *mergeQueue) offer(t *mergeTable, ids []int32, i int32) {
	if q.next[i] < 0 {
		return
	}
	rank, id := t.get(ids[i], ids[q.next[i]])
	if rank == noMerge {
		return
	}
	q.heap = append(q.heap, candidate{rank, i, id})
	for c := len(q.heap) - 1; c > 0; {
		parent := (c - 1) / 2
		if !q.heap[c].less(q.heap[parent]) {
			return
		}
		q.heap[c], q.heap[parent] = q.heap[parent], q.heap[c]
		c = parent
	}
}

func (q *mergeQueue) pop() candidate {
	top, last := q.heap[0], len(q.heap)-1
	q.heap[0] = q.heap[last]
	q.heap = q.heap[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			return top
		}
		if child+1 < last && q.heap[child+1].less(q.heap[child]) {
			child++
		}
		if !q.heap[child].less(q.heap[i]) {
			return top
		}
		q.heap[i], q.heap[child] = q.heap[child], q.heap[i]
		i = child
	}
}
