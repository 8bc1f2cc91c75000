package prepare

import (
	"context"
	"sync"
	"sync/atomic"

	"revela/bm25"
)

// bm25Ranker finds neighbours with an index of the units' texts: 9 bytes for each distinct term of each unit.
type bm25Ranker struct {
	threads   int
	builder   *bm25.Builder
	finder    *bm25.Finder
	searchers []*bm25.Searcher
	kept      int // units that the finder's searches can find
}

func (s *bm25Ranker) add(_ unit, text string) error { return s.builder.Add(text) }

func (s *bm25Ranker) start(context.Context) (err error) {
	s.finder, err = s.builder.BuildFinder()
	if err == nil {
		s.kept = s.finder.Len()
	}
	s.builder = nil
	return err
}

func (s *bm25Ranker) nearest(ctx context.Context, seeds []int, k int, skip func(int) bool) ([][]int32, error) {
	s.prune(skip)
	lists := make([][]int32, len(seeds))
	var next atomic.Int64
	var group sync.WaitGroup
	for _, searcher := range s.workers(len(seeds)) {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(seeds) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				for _, hit := range searcher.Nearest(int32(seeds[i]), k, func(number int32) bool { return skip(int(number)) }) {
					lists[i] = append(lists[i], hit.Index)
				}
			}
		})
	}
	group.Wait()
	return lists, ctx.Err()
}

// prune leaves out of the index what is skipped, once that is half of it: searches then cost half.
func (s *bm25Ranker) prune(skip func(int) bool) {
	free := 0
	for number := range s.finder.Len() {
		if !skip(number) {
			free++
		}
	}
	if free > s.kept/2 {
		return
	}
	s.finder.Keep(func(number int32) bool { return !skip(int(number)) })
	s.kept, s.searchers = free, nil
}

// workers returns a searcher for each thread.
func (s *bm25Ranker) workers(seeds int) []*bm25.Searcher {
	threads := max(1, min(s.threads, seeds))
	for len(s.searchers) < threads {
		s.searchers = append(s.searchers, s.finder.NewSearcher())
	}
	return s.searchers[:threads]
}
