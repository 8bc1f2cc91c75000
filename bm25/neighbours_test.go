package bm25

import (
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"revela/internal/testdata"
)

// BenchmarkNeighbours indexes the texts of the JSON Lines file $REVELA_CHUNKS and finds the 15 nearest of $REVELA_SEEDS of
// them, spread evenly, on as many threads as -cpu says. scripts/bench_neighbours.py runs it beside bm25s.
func BenchmarkNeighbours(b *testing.B) {
	path, seeds := os.Getenv("REVELA_CHUNKS"), os.Getenv("REVELA_SEEDS")
	if path == "" {
		b.Skip("REVELA_CHUNKS names no JSON Lines file of chunks")
	}
	count, err := strconv.Atoi(seeds)
	if err != nil {
		b.Fatalf("REVELA_SEEDS is %q, expected a number", seeds)
	}
	texts := textsOf(b, path)
	for b.Loop() {
		start := time.Now()
		options := Defaults(English)
		options.Threads = runtime.GOMAXPROCS(0)
		finder := buildFinder(b, options, texts)
		indexed := time.Now()
		searchAll(finder, count)
		b.ReportMetric(indexed.Sub(start).Seconds(), "s/index")
		b.ReportMetric(float64(count)/time.Since(indexed).Seconds(), "neighbours/s")
	}
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(usage.Maxrss>>10), "MiB") // texts included
}

// searchAll finds the nearest of count documents on all threads.
func searchAll(finder *Finder, count int) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			searcher := finder.NewSearcher()
			for i := next.Add(1) - 1; i < int64(count); i = next.Add(1) - 1 {
				searcher.Nearest(int32(i*int64(finder.Len())/int64(count)), 15, nil)
			}
		})
	}
	workers.Wait()
}

// BenchmarkNearest finds the 15 nearest of each of scifact's abstracts, one thread.
func BenchmarkNearest(b *testing.B) {
	finder := buildFinder(b, Defaults(English), textsOf(b, testdata.Data(b, "scifact", "corpus.jsonl")))
	searcher := finder.NewSearcher()
	for i := 0; b.Loop(); i++ {
		searcher.Nearest(int32(i%finder.Len()), 15, nil)
	}
}
