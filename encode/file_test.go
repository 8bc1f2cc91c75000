package encode

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"revela/evaluate"
	"revela/internal/npy"
)

func silent(string, int, int) {}

func readNPY(t *testing.T, path string) ([]float32, *npy.File) {
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
	return rows, n
}

// npyFile writes an array and returns its path.
func npyFile(t *testing.T, dir string, rows, dim int, values []float32) string {
	t.Helper()
	var b bytes.Buffer
	if err := npy.WriteHeader(&b, rows, dim); err != nil {
		t.Fatal(err)
	}
	if err := npy.WriteRows(&b, values); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "a.npy")
	write(t, path, b.String())
	return path
}

// A file of more than a block of texts gives their vectors and ids in order, compressed or not.
func TestFixtureFile(t *testing.T) {
	e := openModel(t, OpenOptions{Model: tinyModel(t), MaxLength: 8})
	dir := t.TempDir()
	const n = fileBlock + 5
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write([]byte(lines(n))); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	input, output := filepath.Join(dir, "texts.jsonl.gz"), filepath.Join(dir, "out", "v.npy")
	write(t, input, packed.String())
	last := 0
	s, err := File(context.Background(), e, input, output, evaluate.Passage, func(_ string, done, total int) {
		if done <= last || total != n {
			t.Errorf("progress goes from %d to %d of %d", last, done, total)
		}
		last = done
	})
	if err != nil {
		t.Fatal(err)
	}
	rows, file := readNPY(t, output)
	if *s != (Summary{output, filepath.Join(dir, "out", "v.ids.txt"), n, int(e.Retriever.Width())}) || file.Rows != n || last != n {
		t.Errorf("%+v, %d rows, progress ended at %d", *s, file.Rows, last)
	}
	want, dim, err := e.Encode(context.Background(), []string{"number 0", "number 8196"}, evaluate.Passage, func(int, int) {})
	if err != nil {
		t.Fatal(err)
	}
	for i, at := range []int{0, n - 1} {
		for j := range dim {
			if d := rows[at*dim+j] - want[i*dim+j]; d > 1e-6 || d < -1e-6 {
				t.Fatalf("text %d differs by %g", at, d)
			}
		}
	}
	if ids := strings.Fields(read(t, s.IDs)); len(ids) != n || ids[0] != "d0" || ids[n-1] != "d8196" {
		t.Errorf("%d ids", len(ids))
	}
}

func TestFixtureFileErrors(t *testing.T) {
	e := openModel(t, OpenOptions{Model: tinyModel(t)})
	dir := t.TempDir()
	input := filepath.Join(dir, "texts.jsonl")
	for content, want := range map[string]string{
		lines(2) + "{\"_id\": \"x\", \"text\": \"a}\n": input + `:3: broken JSON at byte 24: unexpected end of JSON input`,
		lines(1) + lines(1):                            input + `:2: _id "d0" is already used on line 1`,
		"{\"_id\": \"x\", \"text\": \"\xff\"}":         input + `:1: invalid UTF-8: byte 23 is 0xff, expected UTF-8 text`,
		"\n":                                           input + ": no texts",
	} {
		write(t, input, content)
		_, err := File(context.Background(), e, input, filepath.Join(dir, "v.npy"), evaluate.Passage, silent)
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		requireEmpty(t, dir, "texts.jsonl")
	}
}

// Whatever ends the encoding, neither file is there.
func TestFixtureFileInterrupted(t *testing.T) {
	e := openModel(t, OpenOptions{Model: tinyModel(t), BatchTokens: 8})
	dir := t.TempDir()
	input, output := filepath.Join(dir, "texts.jsonl"), filepath.Join(dir, "v.npy")
	write(t, input, lines(200))
	ctx, cancel := context.WithCancel(context.Background())
	_, err := File(ctx, e, input, output, evaluate.Passage, func(string, int, int) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	requireEmpty(t, dir, "texts.jsonl")
}

// The second reading must find what the first one found.
func TestFixtureFileChanged(t *testing.T) {
	e := openModel(t, OpenOptions{Model: tinyModel(t)})
	input := filepath.Join(t.TempDir(), "texts.jsonl")
	for content, want := range map[string]string{
		lines(1): input + ": the file has changed while it was read",
		lines(3): input + ":3: the file has changed while it was read",
	} {
		write(t, input, content)
		err := eachEncoded(context.Background(), evaluate.Dense{Encoder: e}, input, []string{"d0", "d1"}, evaluate.Passage, silent,
			func([]string, []float32) error { return nil })
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

// A search gives the same hits over texts and over their vectors.
func TestFixtureSearch(t *testing.T) {
	e := openModel(t, OpenOptions{Model: tinyModel(t), QueryPrefix: ptr("query: "), Search: true})
	dir := t.TempDir()
	corpus, encoded := filepath.Join(dir, "corpus.jsonl"), filepath.Join(dir, "corpus.npy")
	write(t, corpus, lines(50))
	if _, err := File(context.Background(), e, corpus, encoded, evaluate.Passage, silent); err != nil {
		t.Fatal(err)
	}
	queries := []string{"number 7", "rain"}
	raw, err := Search(context.Background(), e, nil, queries, corpus, 4, silent)
	if err != nil {
		t.Fatal(err)
	}
	fromFile, err := Search(context.Background(), e, nil, queries, encoded, 4, silent)
	if err != nil {
		t.Fatal(err)
	}
	for i := range queries {
		if len(raw[i]) != 4 || !slices.Equal(raw[i], fromFile[i]) || raw[i][0].Score < raw[i][3].Score {
			t.Errorf("query %d: texts give %v, vectors %v", i, raw[i], fromFile[i])
		}
	}
}

// Vectors of any length are searched by the cosine where the model is.
func TestFixtureSearchNormalizes(t *testing.T) {
	e := openModel(t, OpenOptions{Model: tinyModel(t), Search: true})
	dim := int(e.Retriever.Width())
	rows, _, err := e.Encode(context.Background(), []string{"rain", "lamp"}, evaluate.Query, func(int, int) {})
	if err != nil {
		t.Fatal(err)
	}
	for j := range dim {
		rows[dim+j] *= 100
	}
	path := npyFile(t, t.TempDir(), 2, dim, rows)
	write(t, IDsFile(path), "rain\nlamp\n")
	hits, err := Search(context.Background(), e, nil, []string{"rain"}, path, 1, silent)
	if err != nil || hits[0][0].Document != "rain" || hits[0][0].Score < 0.9999 {
		t.Errorf("got %v, %v", hits, err)
	}
}

func TestFixtureSearchErrors(t *testing.T) {
	e := openModel(t, OpenOptions{Model: tinyModel(t)})
	path := npyFile(t, t.TempDir(), 2, 3, make([]float32, 6))
	search := func(corpus, want string) {
		t.Helper()
		if _, err := Search(context.Background(), e, nil, []string{"x"}, corpus, 1, silent); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	search(path, "open "+IDsFile(path)+": no such file or directory")
	write(t, IDsFile(path), "a\n")
	search(path, IDsFile(path)+": 1 ids, expected one for each of the 2 vectors in "+path)
	write(t, IDsFile(path), "a\nb\n")
	search(path, fmt.Sprintf("%s: vectors of dimension 3, expected %d as %s makes", path, e.Retriever.Width(), tinyModel(t)))
	dir := t.TempDir()
	search(filepath.Join(dir, "absent.npy"), "open vectors: open "+filepath.Join(dir, "absent.npy")+": no such file or directory")
	if err := os.WriteFile(filepath.Join(dir, "c.jsonl"), []byte("{}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	search(filepath.Join(dir, "c.jsonl"), "open corpus: "+filepath.Join(dir, "c.jsonl")+`:1: no key "_id"`)
}
