package encode

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"revela/evaluate"
	"revela/internal/fixture"
	"revela/model"
)

// texts are of different lengths, one of them empty.
var texts = []string{"Rain again.", "", "The lamp turns slowly, and the keeper writes one line in the log.", "def flash(n):\n    return 60.0 / n\n"}

func tinyModel(t *testing.T) string { return fixture.Path(t, "tiny-llama", "retriever") }

// openModel opens a model for a test.
func openModel(t *testing.T, o OpenOptions) *Encoder {
	t.Helper()
	e, err := Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func vectors(t *testing.T, e *Encoder, texts []string, kind evaluate.Kind) []float64 {
	t.Helper()
	rows, dim, err := e.Encode(context.Background(), texts, kind, func(int, int) {})
	if err != nil || len(rows) != dim*len(texts) {
		t.Fatalf("%d numbers of dimension %d for %d texts, %v", len(rows), dim, len(texts), err)
	}
	return widened(rows)
}

func widened(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// copyModel copies a model's folder, changed files included; an empty content leaves a file out.
func copyModel(t *testing.T, dir string, changed map[string]string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "model")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(changed)) {
		write(t, filepath.Join(to, name), changed[name])
	}
	return to
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// exportTiny writes the tiny model as a sentence-transformers folder with settings of its own.
func exportTiny(t *testing.T, s model.RetrieverSettings) string {
	t.Helper()
	e := openModel(t, OpenOptions{Model: tinyModel(t)})
	dir := filepath.Join(t.TempDir(), "exported")
	err := model.ExportSentence(dir, model.Export{Network: e.Retriever.Network, Config: e.Config, Tokenizer: e.Retriever.Tokenizer}, s)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// lines makes a JSON Lines file of n short texts with the ids d0, d1, …
func lines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "{\"_id\": \"d%d\", \"text\": \"number %d\"}\n", i, i)
	}
	return b.String()
}

// requireEmpty fails where a folder holds anything but the named files.
func requireEmpty(t *testing.T, dir string, but ...string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !slices.Contains(but, d.Name()) {
			t.Errorf("%s was left behind", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
