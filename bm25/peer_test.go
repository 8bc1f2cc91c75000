package bm25

import (
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"revela/internal/testdata"
)

// TestDataNearest compares the neighbours of real texts, or of those in $REVELA_CHUNKS, with those that bm25s ranks highest.
func TestDataNearest(t *testing.T) {
	python := testdata.Python(t, "bm25s with PyStemmer of release 3.1 or later", "import bm25s, Stemmer; assert Stemmer.version() >= '3.1'")
	paths := []string{testdata.Data(t, "scifact/corpus.jsonl"), testdata.Data(t, "text-tldr/docs.jsonl"), testdata.Data(t, "cosqa/corpus.jsonl")}
	if chunks := os.Getenv("REVELA_CHUNKS"); chunks != "" {
		paths = []string{chunks}
	}
	for _, path := range paths {
		output, err := exec.Command(python, filepath.Join("testdata", "neighbours.py"), path, "150", "15").Output()
		if err != nil {
			t.Fatal(err)
		}
		var peer struct {
			Queries []int32
			Scores  [][]float32 // [query][place], the query's own text aside
		}
		if err := json.Unmarshal(output, &peer); err != nil {
			t.Fatal(err)
		}
		searcher := buildFinder(t, Defaults(English), textsOf(t, path)).NewSearcher()
		worst := 0.0
		for i, query := range peer.Queries {
			hits := searcher.Nearest(query, len(peer.Scores[i]), nil)
			if len(hits) != len(peer.Scores[i]) {
				t.Fatalf("%s: text %d has %d neighbours, bm25s finds %d", path, query, len(hits), len(peer.Scores[i]))
			}
			for place, hit := range hits {
				worst = max(worst, math.Abs(float64(hit.Score-peer.Scores[i][place])))
			}
		}
		if worst > 1e-3 {
			t.Errorf("%s: scores differ by up to %g", path, worst)
		}
		t.Logf("%s: %d texts, largest difference of a score %.1e", path, len(peer.Queries), worst)
	}
}
