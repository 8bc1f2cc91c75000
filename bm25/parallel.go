package bm25

import (
	"sync"
	"sync/atomic"
)

// maxParts bounds the room that inverting in parallel takes: 8 bytes for each term and part.
const maxParts = 8

// span is the numbers from … to − 1.
type span struct{ from, to int }

// parts divides n things evenly, into at least one part and at most as many as asked for.
func parts(n, count int) []span {
	count = max(1, min(n, count))
	spans := make([]span, count)
	for i := range spans {
		spans[i] = span{i * n / count, (i + 1) * n / count}
	}
	return spans
}

// inParallel calls do for 0 … n − 1 on threads, each number once.
func inParallel(n, threads int, do func(i int)) {
	if threads = min(n, threads); threads <= 1 {
		for i := range n {
			do(i)
		}
		return
	}
	var next atomic.Int64
	var workers sync.WaitGroup
	for range threads {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	workers.Wait()
}
