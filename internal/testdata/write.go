package testdata

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Write puts content into a file of a new folder, encoded as its name says (.gz, .zst), and returns its path.
func Write(t testing.TB, name, content string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	encoded := io.WriteCloser(f)
	switch filepath.Ext(name) {
	case ".gz":
		encoded = gzip.NewWriter(f)
	case ".zst":
		if encoded, err = zstd.NewWriter(f); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := fmt.Fprint(encoded, content); err != nil {
		t.Fatal(err)
	}
	if err := encoded.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}
