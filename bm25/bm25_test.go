package bm25

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
)

func terms(a Analysis, text string) []string {
	var out []string
	a.EachTerm(text, func(term string) { out = append(out, term) })
	return out
}

func TestAnalysis(t *testing.T) {
	tests := []struct {
		analysis Analysis
		text     string
		want     []string
	}{
		{Analysis{}, "The x is e-mailed, isn't it?", []string{"the", "is", "mailed", "isn", "it"}},
		{Analysis{}, "ΣΊΣΥΦΟΣ x² ２０ cafe\u0301s _a", []string{"σίσυφος", "x²", "２０", "cafe", "_a"}},
		{English, "The running dogs", []string{"run", "dog"}},
		{Analysis{Identifiers: Parts}, "getUserName HTTPServer2Id data_base __init__ x1Y plain", []string{
			"get", "user", "name", "http", "server2", "id", "data", "base", "init", "x1", "plain"}},
		{Analysis{Identifiers: WholeAndParts}, "getUserName __ x_y", []string{"getusername", "get", "user", "name", "__", "x_y"}},
		{Code, "theRunningDogs", []string{"therunningdog", "run", "dog"}},
	}
	for _, test := range tests {
		if got := terms(test.analysis, test.text); !slices.Equal(got, test.want) {
			t.Errorf("%+v of %q: got %q, want %q", test.analysis, test.text, got, test.want)
		}
	}
}

func TestSearchOrdersByScoreThenPosition(t *testing.T) {
	index := build(t, Defaults(Analysis{}), []string{"green tea", "black coffee", "tea green", "tea tea tea", ""})
	hits, err := index.Search("tea", 2)
	if err != nil {
		t.Fatal(err)
	}
	if len(hits) != 2 || hits[0].Index != 3 || hits[1].Index != 0 || hits[0].Score <= hits[1].Score {
		t.Errorf("got %v, want documents 3 and 0", hits)
	}
	all, err := index.Search("tea", 10)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 3 {
		t.Errorf("got %v, want the three documents that share a term", all)
	}
}

func TestIndexIsSafeForConcurrentUse(t *testing.T) {
	var corpus []string
	for i := range 200 {
		corpus = append(corpus, fmt.Sprintf("word%d word%d Straße", i%7, i%11))
	}
	index := build(t, Defaults(English), corpus)
	want, err := index.Search("word3 STRASSE Straße", 20)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if got, err := index.Search("word3 STRASSE Straße", 20); err != nil || !slices.Equal(got, want) {
					t.Errorf("got %v, %v, want %v", got, err, want)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestErrors(t *testing.T) {
	builder, err := NewBuilder(Defaults(English))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := builder.Build(); fmt.Sprint(err) != "bm25: no documents to index" {
		t.Errorf("empty index: %v", err)
	}
	if _, err := NewBuilder(Options{K1: math.NaN(), B: 0.5}); fmt.Sprint(err) != "bm25: k1 is NaN, expected a number from 0 on" {
		t.Errorf("k1: %v", err)
	}
	if _, err := NewBuilder(Options{K1: 1, B: 1.5}); fmt.Sprint(err) != "bm25: b is 1.5, expected a number from 0 to 1" {
		t.Errorf("b: %v", err)
	}
	index := build(t, Defaults(English), []string{"one", "two"})
	if _, err := index.Search("one", 0); fmt.Sprint(err) != "bm25: search for the best 0 documents, expected at least 1" {
		t.Errorf("k: %v", err)
	}
	if err := index.Scores("one", make([]float32, 3)); fmt.Sprint(err) != "bm25: room for 3 scores, expected 2" {
		t.Errorf("scores: %v", err)
	}
}
