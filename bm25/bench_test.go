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
		bm25.BuildForTest(b, bm25.Defaults(bm25.English), texts)
	}
}

// BenchmarkSearch finds the best 1000 documents for scifact's 300 test queries, one thread.
func BenchmarkSearch(b *testing.B) {
	texts, queries := scifact(b)
	x := bm25.BuildForTest(b, bm25.Defaults(bm25.English), texts)
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
