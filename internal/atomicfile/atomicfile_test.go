package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func entries(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

func TestWriteReplacesWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "f.txt")
	for _, want := range []string{"first", "second"} {
		if err := WriteBytes(path, []byte(want)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != want {
			t.Fatalf("got %q, %v; want %q", got, err, want)
		}
	}
	if names := entries(t, filepath.Dir(path)); len(names) != 1 {
		t.Errorf("left beside the file: %v", names)
	}
}

func TestWriteFailureKeepsOldContent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.txt")
	if err := WriteBytes(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	err := Write(path, func(w io.Writer) error {
		fmt.Fprint(w, "half")
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatalf("got error %v, want %v", err, boom)
	}
	if got, _ := os.ReadFile(path); string(got) != "old" {
		t.Errorf("content is %q, want the old one", got)
	}
	if names := entries(t, filepath.Dir(path)); len(names) != 1 {
		t.Errorf("left beside the file: %v", names)
	}
}

func TestDirReplacesWholeAndFailsClean(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model")
	fill := func(name string) func(string) error {
		return func(tmp string) error { return os.WriteFile(filepath.Join(tmp, name), nil, 0o644) }
	}
	for _, name := range []string{"a", "b"} {
		if err := Dir(path, fill(name)); err != nil {
			t.Fatal(err)
		}
		if names := entries(t, path); len(names) != 1 || names[0] != name {
			t.Fatalf("folder holds %v, want [%s]", names, name)
		}
	}
	boom := errors.New("boom")
	if err := Dir(path, func(string) error { return boom }); !errors.Is(err, boom) {
		t.Fatalf("got error %v, want %v", err, boom)
	}
	if names := entries(t, path); len(names) != 1 || names[0] != "b" {
		t.Errorf("folder holds %v after a failure, want [b]", names)
	}
	if names := entries(t, filepath.Dir(path)); len(names) != 1 {
		t.Errorf("left beside the folder: %v", names)
	}
}
