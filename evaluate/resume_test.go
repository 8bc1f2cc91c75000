package evaluate_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"revela/evaluate"
	"revela/evaluate/embeddings"
)

// counting encodes a text as counts of its letters, counts the texts, and can be interrupted.
type counting struct {
	texts     int
	interrupt func(texts int) error
	identity  string
}

func (c *counting) Name() string                             { return "counting" }
func (c *counting) Settings() map[string]any                 { return nil }
func (c *counting) Identity(k evaluate.Kind) (string, error) { return fmt.Sprint(c.identity, k), nil }

func (c *counting) Encode(ctx context.Context, texts []string, _ evaluate.Kind, progress func(done, total int)) ([]float32, int, error) {
	rows := make([]float32, 26*len(texts))
	for i, text := range texts {
		c.texts++
		if c.interrupt != nil {
			if err := c.interrupt(c.texts); err != nil {
				return nil, 0, err
			}
		}
		for _, r := range text {
			if 'a' <= r && r <= 'z' {
				rows[26*i+int(r-'a')] += 0.1
			}
		}
	}
	progress(len(texts), len(texts))
	return rows, 26, ctx.Err()
}

// manyDocuments is a collection of n documents and 3 queries.
func manyDocuments(t *testing.T, n int) *evaluate.Collection {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "many")
	var corpus strings.Builder
	for i := range n {
		fmt.Fprintf(&corpus, "{\"_id\": \"d%d\", \"text\": %q}\n", i, strings.Repeat("tea ", i%7)+strings.Repeat("leaf ", i%5)+strings.Repeat("x", i%11))
	}
	for name, content := range map[string]string{
		"corpus.jsonl": corpus.String(), "qrels/test.tsv": "q1\td1\t1\nq2\td2\t1\nq3\td3\t2\n",
		"queries.jsonl": `{"_id": "q1", "text": "tea"}` + "\n" + `{"_id": "q2", "text": "leaf"}` + "\n" + `{"_id": "q3", "text": "x"}` + "\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c, err := evaluate.OpenCollection(dir, "test")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A search that is killed while it encodes the third block goes on with that block; a second one encodes nothing; the hits
// are those of an unbroken search without a store, to the last bit. Another model encodes all over again.
func TestKilledSearchGoesOn(t *testing.T) {
	c, store := manyDocuments(t, 95), t.TempDir()
	options := evaluate.SearchOptions{TopK: 7}
	search := func(ctx context.Context, e *counting, cache evaluate.Cache) (*evaluate.Run, error) {
		return evaluate.Dense{Encoder: e, Block: 20, Cache: cache}.Search(ctx, c, options)
	}
	want, err := search(context.Background(), &counting{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, kill := context.WithCancel(context.Background())
	killed := &counting{interrupt: func(texts int) error {
		if texts == 3+2*20+5 { // five documents into the third block
			kill()
		}
		return ctx.Err()
	}}
	if _, err := search(ctx, killed, embeddings.Open(store, nil)); !errors.Is(err, context.Canceled) {
		t.Fatalf("killed: %v", err)
	}
	for _, test := range []struct {
		identity string
		texts    int
	}{{"", 95 - 2*20}, {"", 0}, {"other", 3 + 95}} {
		e := &counting{identity: test.identity}
		got, err := search(context.Background(), e, embeddings.Open(store, nil))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("identity %q: other hits, %v", test.identity, err)
		}
		if e.texts != test.texts {
			t.Errorf("identity %q: encoded %d texts, want %d", test.identity, e.texts, test.texts)
		}
	}
}

// Progress comes to its end whether texts are encoded or not.
func TestProgressOfKeptEmbeddings(t *testing.T) {
	c, store := manyDocuments(t, 45), t.TempDir()
	for range 2 {
		last := ""
		options := evaluate.SearchOptions{TopK: 3, Progress: func(stage string, done, total int) { last = fmt.Sprint(stage, done, "/", total) }}
		_, err := evaluate.Dense{Encoder: &counting{}, Block: 20, Cache: embeddings.Open(store, nil)}.Search(context.Background(), c, options)
		if err != nil || last != "documents45/45" {
			t.Errorf("progress ends with %s, %v", last, err)
		}
	}
}

// Excluded documents are not found, whoever searches.
func TestExcludedDocuments(t *testing.T) {
	c := manyDocuments(t, 30)
	c.Excluded = map[string][]string{"q2": {"d4", "d9", "unknown"}}
	baseline, err := evaluate.NewBM25("bm25")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []evaluate.Retriever{evaluate.Dense{Encoder: &counting{}, Block: 7}, baseline} {
		run, err := r.Search(context.Background(), c, evaluate.SearchOptions{TopK: 100})
		if err != nil {
			t.Fatal(err)
		}
		for query, want := range map[string]int{"q1": 30, "q2": 28} {
			for _, hit := range run.Hits[query] {
				if query == "q2" && (hit.Document == "d4" || hit.Document == "d9") {
					t.Errorf("%s: %s found %s", r.Name(), query, hit.Document)
				}
			}
			if len(run.Hits[query]) != want {
				t.Errorf("%s: %s found %d documents, want %d", r.Name(), query, len(run.Hits[query]), want)
			}
		}
	}
}

// What is written beside the scores: the baseline's run and comparison, judgements in TREC's layout, published scores and a
// page that needs no network.
func TestEvaluateWritesComparisons(t *testing.T) {
	c, output := manyDocuments(t, 30), t.TempDir()
	c.Task = &evaluate.Task{Name: "ManyRetrieval", Revision: "r1", Languages: []string{"eng-Latn"},
		Published: []evaluate.Published{{System: "Somebody", Source: "their page", Scores: map[string]float64{"ndcg@10": 0.4321}}}}
	measures, err := evaluate.ParseMeasures([]string{"ndcg@10", "num_ret"})
	if err != nil {
		t.Fatal(err)
	}
	baseline, err := evaluate.NewBM25("bm25:code")
	if err != nil {
		t.Fatal(err)
	}
	results, err := evaluate.Evaluate(context.Background(), evaluate.Dense{Encoder: &counting{}}, []*evaluate.Collection{c},
		evaluate.Options{SearchOptions: evaluate.SearchOptions{TopK: 10}, Metrics: measures, Output: output, Baseline: baseline})
	if err != nil {
		t.Fatal(err)
	}
	comparison := results[0].Baseline.Comparisons[0]
	if comparison.First != results[0].Baseline.Metrics["ndcg@10"] || comparison.Second != results[0].Metrics["ndcg@10"] ||
		comparison.Better+comparison.Worse+comparison.Equal != 3 {
		t.Errorf("got %+v", comparison)
	}
	for name, parts := range map[string][]string{
		"runs/many.qrels":          {"q1 0 d1 1\nq2 0 d2 1\nq3 0 d3 2\n"},
		"runs/bm25-code/many.trec": {"bm25:code\n"},
		"results/many.json":        {`"intervals": {`, `"model": "bm25:code"`, `"equal": `},
		"summary.md":               {"| bm25:code ndcg@10 | difference | p |", "## ndcg@10 beside published scores", "| Somebody |", " 0.4321 |"},
		"summary.json":             {`"baseline": {`},
		"report.html":              {"counting", "0.4321", "their page", "<svg", "Queries that lose most", `<td class="text">x</td>`},
	} {
		content, err := os.ReadFile(filepath.Join(output, name))
		if err != nil {
			t.Error(err)
		}
		for _, part := range parts {
			if !strings.Contains(string(content), part) {
				t.Errorf("%s lacks %q:\n%s", name, part, content)
			}
		}
		if name == "report.html" && (strings.Contains(string(content), "://") || strings.Contains(string(content), "<script")) {
			t.Errorf("%s reaches out", name)
		}
	}
}
