package embeddings

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// calls counts how often it encodes: every text as its length and its number of letters a.
type calls int

func (c *calls) of(texts []string) func() ([]float32, int, error) {
	return func() ([]float32, int, error) {
		*c++
		var rows []float32
		for _, text := range texts {
			rows = append(rows, float32(len(text)), float32(strings.Count(text, "a")))
		}
		return rows, 2, nil
	}
}

func embeddings(t *testing.T, s *Store, identity string, c *calls, texts ...string) []float32 {
	t.Helper()
	rows, dim, done, err := s.Embeddings(identity, texts, c.of(texts))
	if err != nil || dim != 2 {
		t.Fatalf("dimension %d, %v", dim, err)
	}
	defer done()
	return slices.Clone(rows)
}

// What was encoded once is not encoded again, in another process neither; another text, another cut between texts, another
// order or another identity is.
func TestKept(t *testing.T) {
	dir := t.TempDir()
	var c calls
	want := []float32{2, 1, 1, 0}
	for range 2 {
		if got := embeddings(t, Open(dir, nil), "model", &c, "ab", "c"); !slices.Equal(got, want) || c != 1 {
			t.Fatalf("got %v after %d encodings, want %v after 1", got, c, want)
		}
	}
	for i, texts := range [][]string{{"a", "bc"}, {"c", "ab"}, {"ab"}, {"ab", "c", ""}} {
		embeddings(t, Open(dir, nil), "model", &c, texts...)
		if int(c) != i+2 {
			t.Errorf("%q: %d encodings, want %d", texts, c, i+2)
		}
	}
	if embeddings(t, Open(dir, nil), "other", &c, "ab", "c"); c != 6 {
		t.Errorf("another identity: %d encodings, want 6", c)
	}
}

// A file that is cut off or holds something else is encoded again and replaced.
func TestDamaged(t *testing.T) {
	dir := t.TempDir()
	var c calls
	s := Open(dir, nil)
	want := embeddings(t, s, "model", &c, "ab", "c")
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.npy"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	for i, damage := range []func(path string) error{
		func(path string) error { return os.Truncate(path, 130) },
		func(path string) error { return os.WriteFile(path, []byte("x"), 0o644) },
	} {
		if err := damage(files[0]); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if got := embeddings(t, s, "model", &c, "ab", "c"); !slices.Equal(got, want) || int(c) != i+2 {
				t.Errorf("damage %d: got %v after %d encodings", i, got, c)
			}
		}
	}
}

// Errors of encoding come through and leave nothing; a store that cannot be written says so once and costs nothing else.
func TestErrors(t *testing.T) {
	dir := t.TempDir()
	failed := errors.New("out of memory")
	_, _, _, err := Open(dir, nil).Embeddings("model", []string{"a"}, func() ([]float32, int, error) { return nil, 0, failed })
	if entries, _ := os.ReadDir(dir); !errors.Is(err, failed) || len(entries) != 0 {
		t.Errorf("got %v, left %v", err, entries)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	var notes []string
	var c calls
	s := Open(filepath.Join(file, "store"), func(note string) { notes = append(notes, note) })
	for range 2 {
		embeddings(t, s, "model", &c, "ab", "c")
	}
	if c != 2 || len(notes) != 1 || !strings.HasPrefix(notes[0], "embeddings are not kept from here on: create folder of ") {
		t.Errorf("%d encodings, notes %q", c, notes)
	}
}

// What is listed is what a store wrote; removing it leaves everything else alone, and it is encoded again.
func TestListAndRemove(t *testing.T) {
	dir := t.TempDir()
	if all, err := List(filepath.Join(dir, "absent")); err != nil || all != nil {
		t.Errorf("a store that does not exist: %v, %v", all, err)
	}
	var c calls
	s := Open(dir, nil)
	for _, kept := range [][2]string{{"one", "a"}, {"one", "b"}, {"two", "b"}} {
		embeddings(t, s, kept[0], &c, kept[1])
	}
	foreign := filepath.Join(dir, "mine", "notes.npy")
	if err := os.MkdirAll(filepath.Dir(foreign), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(foreign, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	all, err := List(dir)
	if err != nil || len(all) != 2 {
		t.Fatal(all, err)
	}
	const block, about = 128 + 2*4, 4 // a header and two numbers; a word and its line's end
	for _, kept := range all {
		files := map[string]int{"one": 2, "two": 1}[kept.Identity]
		if kept.Files != files || kept.Bytes != int64(files)*block+about || kept.Newest.IsZero() || filepath.Base(kept.Folder) != kept.ID {
			t.Errorf("%+v", kept)
		}
		if kept.Identity == "one" {
			if err := kept.Remove(); err != nil {
				t.Error(err)
			}
		}
	}
	if all, err := List(dir); err != nil || len(all) != 1 || all[0].Identity != "two" {
		t.Errorf("left %v, %v", all, err)
	}
	if _, err := os.Stat(foreign); err != nil {
		t.Error(err)
	}
	if embeddings(t, s, "two", &c, "b"); c != 3 {
		t.Errorf("%d encodings, want 3", c)
	}
	if embeddings(t, s, "one", &c, "a"); c != 4 {
		t.Errorf("%d encodings, want 4", c)
	}
}
