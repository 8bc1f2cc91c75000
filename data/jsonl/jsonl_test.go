package jsonl

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWriteThenRead(t *testing.T) {
	long := strings.Repeat("long line ", 100_000) // longer than any buffer
	values := []string{"first", "<html> & more", long, "last"}
	for _, name := range []string{"f.jsonl", "f.jsonl.gz", "f.jsonl.zst"} {
		path := filepath.Join(t.TempDir(), name)
		write := func() []byte {
			err := Write(path, func(put func(any) error) error {
				for _, v := range values {
					if err := put(v); err != nil {
						return err
					}
				}
				return nil
			})
			content, readErr := os.ReadFile(path)
			if err != nil || readErr != nil {
				t.Fatal(err, readErr)
			}
			return content
		}
		if !bytes.Equal(write(), write()) {
			t.Errorf("%s: the same values give other bytes", name)
		}
		r, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range values {
			if !r.Next() || string(r.Line().Text) != `"`+want+`"` || r.Line().Number != i+1 {
				t.Errorf("%s: line %d is number %d with %d bytes, want %d", name, i+1, r.Line().Number, len(r.Line().Text), len(want)+2)
			}
		}
		if r.Next() || r.Err() != nil || r.Close() != nil {
			t.Errorf("%s: no clean end: %v", name, r.Err())
		}
	}
}

func TestLinesKeepTheirPlace(t *testing.T) {
	const content = "\xef\xbb\xbfone\r\n\n  \ntwo\nthree"
	r := NewReader("x", strings.NewReader(content))
	for _, want := range []struct {
		number int
		text   string
	}{{1, "one"}, {4, "two"}, {5, "three"}} {
		if !r.Next() {
			t.Fatalf("no line %d: %v", want.number, r.Err())
		}
		line := r.Line()
		if line.Number != want.number || string(line.Text) != want.text || !strings.HasPrefix(content[line.Offset:], want.text) {
			t.Errorf("got %d %q at %d, want %+v", line.Number, line.Text, line.Offset, want)
		}
	}
}

func TestFailedWriteLeavesNothing(t *testing.T) {
	dir, boom := t.TempDir(), errors.New("boom")
	err := Write(filepath.Join(dir, "f.zst"), func(put func(any) error) error { return errors.Join(put("x"), boom) })
	entries, readErr := os.ReadDir(dir)
	if !errors.Is(err, boom) || readErr != nil || len(entries) != 0 {
		t.Errorf("got %v, %v; left %v", err, readErr, entries)
	}
}

func TestCheckUTF8(t *testing.T) {
	if err := CheckUTF8([]byte("größe 一 \ufffd")); err != nil {
		t.Errorf("valid text: %v", err)
	}
	err := CheckUTF8([]byte("ö\xc3("))
	if want := "invalid UTF-8: byte 3 is 0xc3, expected UTF-8 text"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
