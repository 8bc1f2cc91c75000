package evaluate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func measuresOf(t *testing.T, names ...string) []Measure {
	t.Helper()
	measures, err := ParseMeasures(names)
	if err != nil {
		t.Fatal(err)
	}
	return measures
}

// TestMeasures computes one ranking by hand: relevant at ranks 2 (level 2) and 4 (level 1), four hits, three relevant documents.
func TestMeasures(t *testing.T) {
	qrels := Qrels{"q": {"b": 2, "d": 1, "missing": 1, "a": 0}}
	run := &Run{Hits: map[string][]Hit{"q": {{"a", 4}, {"b", 3}, {"c", 2}, {"d", 1}}}}
	log2 := math.Log2
	tests := map[string]float64{
		"ndcg@10": (2/log2(3) + 1/log2(5)) / (2 + 1/log2(3) + 1/log2(4)), "ndcg@2": (2 / log2(3)) / (2 + 1/log2(3)),
		"map": (1.0/2 + 2.0/4) / 3, "map@3": (1.0 / 2) / 3, "recall@2": 1.0 / 3, "recall@100": 2.0 / 3,
		"precision@10": 2.0 / 10, "mrr@10": 1.0 / 2, "mrr@1": 0, "mrr": 0.5, "hit_rate@1": 0, "hit_rate@2": 1,
		"ndcg_cut.2": (2 / log2(3)) / (2 + 1/log2(3)), "P_10": 0.2, "success.2": 1, "num_ret": 4, "num_rel": 3,
		"bpref": ((1 - 1.0/1) + (1 - 1.0/1)) / 3, "Rprec": 1.0 / 3, "iprec_at_recall_0.50": 0.5, "gm_map": 1.0 / 3,
	}
	scores, err := Score(qrels, run, measuresOf(t, sortedKeys(tests)...), ScoreOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got := scores.Metrics()
	for name, want := range tests {
		if value, ok := got[name]; !ok || math.Abs(value-want) > 1e-15 {
			t.Errorf("%s: got %v, want %v", name, value, want)
		}
	}
}

func TestUnknownMetric(t *testing.T) {
	for _, name := range []string{"ndgc@10", "ndcg@", "ndcg@0", "ndcg@-1", "ndcg@010", "ndcg@1.5", "success@10", "P@5", "map.10", "", "recall@1e3"} {
		want := fmt.Sprintf("unknown metric %q, expected one of: %s", name, knownMeasures)
		if _, err := ParseMeasures([]string{"map", name}); fmt.Sprint(err) != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := ParseMeasures(nil); err == nil || !strings.HasPrefix(err.Error(), "no metric named, expected some of: ndcg@K") {
		t.Errorf("no metric: %v", err)
	}
}

func TestMissingQueries(t *testing.T) {
	qrels := Qrels{"q1": {"a": 1}, "q2": {"a": 1}, "q3": {"a": 1}}
	run := &Run{Hits: map[string][]Hit{"q2": {{"a", 1}}, "q4": {{"a", 1}}}}
	tests := []struct {
		complete bool
		mean     float64
		queries  int
		warning  string
	}{
		{false, 1, 1, "2 of 3 judged queries have no results and are left out of the mean (first: q1)"},
		{true, 1.0 / 3, 3, "2 of 3 judged queries have no results and are counted as 0 (first: q1)"},
	}
	for _, test := range tests {
		scores, err := Score(qrels, run, measuresOf(t, "map"), ScoreOptions{Complete: test.complete})
		if err != nil {
			t.Fatal(err)
		}
		if scores.Overall[0] != test.mean || len(scores.Queries) != test.queries {
			t.Errorf("complete %v: mean %v over %d queries, want %v over %d", test.complete, scores.Overall[0], len(scores.Queries), test.mean, test.queries)
		}
		if got := scores.QueryMetrics(); len(got) != test.queries || got["q2"]["map"] != 1 {
			t.Errorf("complete %v: values of queries %v", test.complete, got)
		}
		want := []string{test.warning, "1 queries of the run have no judgements and are left out"}
		if got := scores.Warnings(test.complete); !reflect.DeepEqual(got, want) {
			t.Errorf("got warnings %q, want %q", got, want)
		}
	}
	_, err := Score(qrels, &Run{Hits: map[string][]Hit{"q9": {{"a", 1}}}}, measuresOf(t, "map"), ScoreOptions{})
	if fmt.Sprint(err) != "score: none of the 3 judged queries has results" {
		t.Errorf("nothing in common: %v", err)
	}
}

// letters encodes a text as its counts of letters, a to z.
type letters struct{ fail error }

func (l letters) Name() string             { return "letters" }
func (l letters) Settings() map[string]any { return map[string]any{"alphabet": 26} }
func (l letters) Encode(_ context.Context, texts []string, _ Kind, progress func(done, total int)) ([]float32, int, error) {
	embeddings := make([]float32, 26*len(texts))
	for i, text := range texts {
		for _, r := range strings.ToLower(text) {
			if 'a' <= r && r <= 'z' {
				embeddings[26*i+int(r-'a')]++
			}
		}
	}
	progress(len(texts), len(texts))
	return embeddings, 26, l.fail
}

func openDrinks(t *testing.T) *Collection {
	t.Helper()
	c, err := OpenCollection(writeCollection(t, collectionFiles()), "test")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEvaluateWritesResults(t *testing.T) {
	output := filepath.Join(t.TempDir(), "run")
	var progress []string
	options := Options{Metrics: measuresOf(t, "ndcg@10", "recall@1"), Output: output, SearchOptions: SearchOptions{TopK: 2,
		Progress: func(stage string, done, total int) { progress = append(progress, fmt.Sprint(stage, done, "/", total)) }}}
	results, err := Evaluate(context.Background(), Dense{Encoder: letters{}, Block: 2}, []*Collection{openDrinks(t)}, options)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"queries2/2", "documents2/3", "documents3/3"}; !reflect.DeepEqual(progress, want) {
		t.Errorf("got progress %v, want %v", progress, want)
	}
	wantRun := "q1 Q0 d1 1 15 letters\nq1 Q0 d2 2 6 letters\nq2 Q0 d1 1 9 letters\nq2 Q0 d2 2 7 letters\n"
	if got := read(t, output, "runs", "drinks.trec"); got != wantRun {
		t.Errorf("got run\n%swant\n%s", got, wantRun)
	}
	var result map[string]any
	if err := json.Unmarshal([]byte(read(t, output, "results", "drinks.json")), &result); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"collection": "drinks", "split": "test", "model": "letters", "queries": 2.0, "documents": 3.0,
		"metrics":   map[string]any{"ndcg@10": (1 + 1/math.Log2(3)) / 2, "recall@1": 0.5},
		"intervals": map[string]any{"ndcg@10": []any{1 / math.Log2(3), 1.0}, "recall@1": []any{0.0, 1.0}},
		"settings":  map[string]any{"alphabet": 26.0, "top_k": 2.0, "remove_identical": false, "complete": false},
	}
	if seconds, ok := result["seconds"].(float64); !ok || seconds <= 0 {
		t.Errorf("seconds: %v", result["seconds"])
	}
	delete(result, "seconds")
	if !reflect.DeepEqual(result, want) {
		t.Errorf("got  %v\nwant %v", result, want)
	}
	table := "# letters\n\n| collection | split | queries | documents | ndcg@10 | recall@1 |\n|---|---|--:|--:|--:|--:|\n| drinks | test | 2 | 3 | 0.8155 | 0.5000 |\n"
	if got := read(t, output, "summary.md"); got != table {
		t.Errorf("got table\n%swant\n%s", got, table)
	}
	var s summary
	if err := json.Unmarshal([]byte(read(t, output, "summary.json")), &s); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(s, summary{Model: "letters", Metrics: map[string]map[string]float64{"drinks": results[0].Metrics},
		Mean: results[0].Metrics, Intervals: map[string]map[string]Interval{"drinks": results[0].Intervals}}) {
		t.Errorf("got summary %v", s)
	}
}

func read(t *testing.T, elem ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// TestRemoveIdentical: documents that have the query's id are kept unless the option says otherwise.
func TestRemoveIdentical(t *testing.T) {
	files := map[string]string{
		"corpus.jsonl":   `{"_id": "1", "text": "tea"}` + "\n" + `{"_id": "2", "text": "tea leaf"}`,
		"queries.jsonl":  `{"_id": "1", "text": "tea"}`,
		"qrels/test.tsv": "1\t1\t1\n",
	}
	c, err := OpenCollection(writeCollection(t, files), "test")
	if err != nil {
		t.Fatal(err)
	}
	baseline, err := NewBM25("bm25")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []Retriever{Dense{Encoder: letters{}}, baseline} {
		for _, remove := range []bool{false, true} {
			run, err := r.Search(context.Background(), c, SearchOptions{TopK: 10, RemoveIdentical: remove})
			if err != nil {
				t.Fatal(err)
			}
			found := false
			for _, hit := range run.Hits["1"] {
				found = found || hit.Document == "1"
			}
			if found == remove {
				t.Errorf("%s, remove identical %v: hits %v", r.Name(), remove, run.Hits["1"])
			}
		}
	}
}

// TestBM25FillsUp: documents without a shared term follow with the score 0, by id descending.
func TestBM25FillsUp(t *testing.T) {
	baseline, err := NewBM25("bm25")
	if err != nil {
		t.Fatal(err)
	}
	run, err := baseline.Search(context.Background(), openDrinks(t), SearchOptions{TopK: 10})
	if err != nil {
		t.Fatal(err)
	}
	hits := run.Hits["q2"]
	if len(hits) != 3 || hits[0].Document != "d2" || hits[0].Score <= 0 || hits[1] != (Hit{"d3", 0}) || hits[2] != (Hit{"d1", 0}) {
		t.Errorf("got %v", hits)
	}
	if _, err := NewBM25("bm25:go"); fmt.Sprint(err) != `unknown baseline "bm25:go", expected bm25, bm25:unstemmed or bm25:code` {
		t.Errorf("unknown baseline: %v", err)
	}
}

func TestEvaluateErrors(t *testing.T) {
	ctx, c := context.Background(), openDrinks(t)
	options := Options{Metrics: measuresOf(t, "map"), SearchOptions: SearchOptions{TopK: 5}, Output: filepath.Join(t.TempDir(), "out")}
	failing := Dense{Encoder: letters{fail: errors.New("out of memory")}}
	if _, err := Evaluate(ctx, failing, []*Collection{c}, options); fmt.Sprint(err) != "evaluate drinks: encode queries: out of memory" {
		t.Errorf("failing encoder: %v", err)
	}
	if entries, err := os.ReadDir(options.Output); err != nil || len(entries) != 0 {
		t.Errorf("a failed evaluation left %v, %v", entries, err)
	}
	if _, err := Evaluate(ctx, failing, []*Collection{c, c}, options); err == nil || !strings.HasPrefix(err.Error(), `evaluate: two collections are named "drinks": `) {
		t.Errorf("clash: %v", err)
	}
	if _, err := Evaluate(ctx, failing, nil, options); fmt.Sprint(err) != "evaluate: no collection named" {
		t.Errorf("no collection: %v", err)
	}
	options.Output = filepath.Join(write(t, t.TempDir(), "file", ""), "out")
	want := "evaluate: create output folder: mkdir " + filepath.Dir(options.Output) + ": not a directory"
	if _, err := Evaluate(ctx, Dense{Encoder: letters{}}, []*Collection{c}, options); fmt.Sprint(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	baseline, err := NewBM25("bm25:code")
	if err != nil {
		t.Fatal(err)
	}
	options.Output = ""
	if _, err := Evaluate(cancelled, baseline, []*Collection{c}, options); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
