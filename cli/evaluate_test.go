package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"revela/evaluate"
)

// tinyCollection writes a collection in BEIR layout below dir and returns its folder.
func tinyCollection(t *testing.T, dir string) string {
	t.Helper()
	folder := filepath.Join(dir, "tiny")
	if err := os.MkdirAll(filepath.Join(folder, "qrels"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(folder, "corpus.jsonl"), `{"_id": "d1", "text": "parse a date"}`+"\n"+`{"_id": "d2", "text": "sort numbers"}`+"\n")
	write(t, filepath.Join(folder, "queries.jsonl"), `{"_id": "q1", "text": "how to parse dates"}`+"\n")
	write(t, filepath.Join(folder, "qrels", "test.tsv"), "query-id\tcorpus-id\tscore\nq1\td1\t1\n")
	return folder
}

func TestEvaluateBM25(t *testing.T) {
	dir := t.TempDir()
	folder, output := tinyCollection(t, dir), filepath.Join(dir, "out")
	stdout, stderr, status := run(t, "evaluate", "--model", "bm25", "--collection", folder, "--output", output,
		"--set", "evaluate.metrics=[ndcg@10]", "--json")
	var got []evaluate.Result
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || status != 0 || stderr != "" {
		t.Fatalf("status %d, %v: %s%s", status, err, stdout, stderr)
	}
	if len(got) != 1 || got[0].Model != "bm25" || got[0].Metrics["ndcg@10"] != 1 || len(got[0].Metrics) != 1 {
		t.Errorf("got %+v", got)
	}
	for _, name := range []string{"runs/tiny.trec", "results/tiny.json", "summary.json", "summary.md"} {
		if _, err := os.Stat(filepath.Join(output, name)); err != nil {
			t.Error(err)
		}
	}
	stdout, _, status = run(t, "evaluate", "--model", "bm25", "--collection", folder, "--output", output)
	if status != 0 || !strings.Contains(stdout, "| tiny | test | 1 | 2 |") {
		t.Errorf("status %d: %s", status, stdout)
	}
}

func TestEvaluateErrors(t *testing.T) {
	dir := t.TempDir()
	_, stderr, status := run(t, "evaluate", "--model", "bm25", "--collection", dir+"/absent", "--output", dir+"/out")
	want := "revela: --collection " + dir + "/absent: evaluate.collections[0]: "
	if status != 1 || !strings.HasPrefix(stderr, want) || strings.Count(stderr, "\n") != 1 {
		t.Errorf("status %d: got %q, want %q…", status, stderr, want)
	}
	if _, err := os.Stat(dir + "/out"); !os.IsNotExist(err) {
		t.Errorf("the output folder was made: %v", err)
	}
}
