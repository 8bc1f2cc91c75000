package bm25_test

import (
	"testing"

	"revela/bm25"
	"revela/evaluate"
	"revela/internal/testdata"
)

// BenchmarkIndex builds the index of scifact (5,183 abstracts), analysis included; testdata/bench.py is bm25s's counterpart.
func BenchmarkIndex(b *testing.B) {
	texts, _ := scifact(b)
	for b.Loop() {
		index(b, texts)
	}
}

// BenchmarkSearch finds the best 1000 documents for scifact's 300 test queries, one thread.
func BenchmarkSearch(b *testing.B) {
	texts, queries := scifact(b)
	x := index(b, texts)
	for b.Loop() {
		for _, query := range queries {
			if _, err := x.Search(query, 1000); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func scifact(b *testing.B) (texts, queries []string) {
	b.Helper()
	c, err := evaluate.OpenCollection(testdata.Data(b, "scifact"), "test")
	if err != nil {
		b.Fatal(err)
	}
	err = c.EachBlock(1000, func(_ int, block []string) error {
		texts = append(texts, block...)
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return texts, c.QueryTexts()
}

func index(b *testing.B, texts []string) *bm25.Index {
	b.Helper()
	builder, err := bm25.NewBuilder(bm25.Defaults(bm25.English))
	if err != nil {
		b.Fatal(err)
	}
	for _, text := range texts {
		if err := builder.Add(text); err != nil {
			b.Fatal(err)
		}
	}
	x, err := builder.Build()
	if err != nil {
		b.Fatal(err)
	}
	return x
}

// BenchmarkNearest finds the 15 nearest of each of scifact's abstracts, one thread; `testdata/neighbours.py CORPUS 500 15 time`
// is bm25s's counterpart.
func BenchmarkNearest(b *testing.B) {
	finder := finderOf(b, testdata.Data(b, "scifact", "corpus.jsonl"))
	searcher := finder.NewSearcher()
	for i := 0; b.Loop(); i++ {
		searcher.Nearest(int32(i%finder.Len()), 15, nil)
	}
}
