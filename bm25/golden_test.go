package bm25

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"revela/internal/testdata"
)

// TestGoldenScores compares every score with bm25s's, with and without stop words and stemming.
func TestGoldenScores(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("testdata", "scores.json"))
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Corpus, Queries []string
		Cases           []struct {
			StopWords bool `json:"stop_words"`
			Stem      bool
			Scores    [][]float32 // [query][document]
		}
	}
	if err := json.Unmarshal(content, &golden); err != nil {
		t.Fatal(err)
	}
	if len(golden.Cases) != 4 {
		t.Fatalf("%d cases, want 4", len(golden.Cases))
	}
	worst, scores := 0.0, make([]float32, len(golden.Corpus))
	for _, c := range golden.Cases {
		index := build(t, Defaults(Analysis{StopWords: c.StopWords, Stem: c.Stem}), golden.Corpus)
		for q, query := range golden.Queries {
			if err := index.Scores(query, scores); err != nil {
				t.Fatal(err)
			}
			for d, want := range c.Scores[q] {
				difference := math.Abs(float64(scores[d] - want))
				if worst = max(worst, difference); difference > 1e-6 {
					t.Errorf("stop words %v, stemming %v, query %q, document %d: got %g, bm25s has %g", c.StopWords, c.Stem, query, d, scores[d], want)
				}
			}
		}
	}
	t.Logf("largest difference %.1e", worst)
}

func TestGoldenStems(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("testdata", "stems.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for line := range strings.Lines(string(content)) {
		word, want, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if got := Stem(word); got != want {
			t.Errorf("Stem(%q) = %q, PyStemmer has %q", word, got, want)
		}
		compared++
	}
	if compared < 2500 {
		t.Errorf("compared only %d words", compared)
	}
}

// TestDataStems compares the stems of all words of the real collections with those of the PyStemmer at hand.
func TestDataStems(t *testing.T) {
	python := testdata.Python(t, "PyStemmer of release 3.1 or later", "import Stemmer; assert Stemmer.version() >= '3.1'")
	words := collectionWords(t, testdata.Data(t))
	command := exec.Command(python, filepath.Join("testdata", "make_golden.py"), "stem")
	command.Stdin = strings.NewReader(strings.Join(words, "\n") + "\n")
	command.Env = append(os.Environ(), "PYTHONUTF8=1")
	output, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	stems := strings.Split(strings.TrimSuffix(string(output), "\n"), "\n")
	if len(stems) != len(words) {
		t.Fatalf("%d stems for %d words", len(stems), len(words))
	}
	for i, word := range words {
		if got := Stem(word); got != stems[i] {
			t.Errorf("Stem(%q) = %q, PyStemmer has %q", word, got, stems[i])
		}
	}
	t.Logf("%d words", len(words))
}

// collectionWords returns the words of all JSON Lines files below the folder of collections, keys included.
func collectionWords(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*", "*.jsonl"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no collections in %s: %v", dir, err)
	}
	seen := map[string]bool{}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(content) {
			Analysis{}.EachTerm(string(line), func(word string) { seen[word] = true })
		}
	}
	var words []string
	for word := range seen {
		words = append(words, word)
	}
	slices.Sort(words)
	return words
}
