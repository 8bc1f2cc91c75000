package data

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"revela/data/jsonl"
	"revela/internal/testdata"
)

// pepGroups writes a groups file of real text: 16 chunks of about 600 bytes a line.
func pepGroups(b *testing.B, name string) (path string, size int64) {
	b.Helper()
	content, err := os.ReadFile(testdata.Data(b, "text-peps", "docs.jsonl"))
	if err != nil {
		b.Fatal(err)
	}
	path = filepath.Join(b.TempDir(), name)
	err = jsonl.Write(path, func(put func(any) error) error {
		for len(content) > 16*600 {
			var texts []string
			for range 16 {
				texts = append(texts, strings.ToValidUTF8(string(content[:600]), "?"))
				content = content[600:]
			}
			size += 16 * 600
			if err := put(texts); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return path, size
}

func BenchmarkOpen(b *testing.B) {
	for _, name := range []string{"groups.jsonl", "groups.jsonl.gz", "groups.jsonl.zst"} {
		b.Run(name, func(b *testing.B) {
			path, size := pepGroups(b, name)
			b.SetBytes(size)
			for b.Loop() {
				g, err := Open([]string{path}, Options{})
				if err != nil {
					b.Fatal(err)
				}
				if err := g.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkGroup(b *testing.B) {
	path, _ := pepGroups(b, "groups.jsonl.zst")
	g, err := Open([]string{path}, Options{Seed: 1, Shuffle: true, ShuffleWithinGroup: true})
	if err != nil {
		b.Fatal(err)
	}
	defer g.Close()
	b.SetBytes(16 * 600)
	for i := 0; b.Loop(); i++ {
		if _, err := g.At(g.Position(int64(i))); err != nil {
			b.Fatal(err)
		}
	}
}
