package npy

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// file writes an array and returns its path and bytes.
func file(t *testing.T, rows, dim int, values []float32) (path, content string) {
	t.Helper()
	var b bytes.Buffer
	if err := WriteHeader(&b, rows, dim); err != nil {
		t.Fatal(err)
	}
	if err := WriteRows(&b, values); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "a.npy")
	write(t, path, b.String())
	return path, b.String()
}

// The bytes are those that numpy.save writes.
func TestBytes(t *testing.T) {
	_, content := file(t, 2, 3, []float32{1, -2, 0.5, 0, float32(math.Inf(1)), 3e-45})
	const header = "\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"
	if content[:len(header)] != header || content[127] != '\n' || len(content) != 128+24 {
		t.Errorf("%d bytes: %q", len(content), content)
	}
	if want := "\x00\x00\x80\x3f\x00\x00\x00\xc0"; content[128:136] != want {
		t.Errorf("numbers %q, want %q", content[128:136], want)
	}
}

func TestRoundTrip(t *testing.T) {
	values := make([]float32, 3000*7) // more than a buffer
	for i := range values {
		values[i] = float32(i) * 0.1
	}
	path, _ := file(t, 3000, 7, values)
	n, err := Open(path)
	if err != nil || n.Rows != 3000 || n.Dim != 7 {
		t.Fatalf("%+v, %v", n, err)
	}
	defer n.Close()
	got := make([]float32, len(values))
	for i := 0; i < 3000; i += 1000 {
		if err := n.Read(got[7*i : 7*(i+1000)]); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(got, values) {
		t.Error("the numbers changed")
	}
	if err := n.Read(got[:1]); err == nil {
		t.Error("no error behind the last row")
	}
}

func TestErrors(t *testing.T) {
	_, good := file(t, 1, 2, []float32{1, 2})
	header := func(text string) string { return magic + string([]byte{byte(len(text)), 0}) + text }
	path := filepath.Join(t.TempDir(), "bad.npy")
	for content, want := range map[string]string{
		"":                 "not an .npy file of version 1.0",
		"PK\x03\x04      ": "not an .npy file of version 1.0",
		good[:40]:          "the header is cut off",
		good[:131]:         "131 bytes, expected 136 for an array [1, 2]",
		good + "x":         "137 bytes, expected 136 for an array [1, 2]",
		header("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2), }"):                   "descr <f8 and fortran_order False, expected <f4 and False",
		header("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }"):                     `header "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", expected an array with rows and columns`,
		header("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 0), }"):                   "shape (1, 0), expected one that memory can hold",
		header("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 8), }"): `shape (4611686018427387904, 8), expected one that memory can hold`,
	} {
		write(t, path, content)
		n, err := Open(path)
		if err == nil {
			n.Close()
			t.Errorf("opened %q", content)
		} else if err.Error() != path+": "+want {
			t.Errorf("got  %s\nwant %s", err, path+": "+want)
		}
	}
}

// A mapped file shows the numbers of the file, an empty one none.
func TestMap(t *testing.T) {
	for _, values := range [][]float32{{1, -2, 0.5, 0, 7, 3e-45}, {}} {
		path, _ := file(t, len(values)/3, 3, values)
		m, err := Map(path)
		if err != nil || m.Rows != len(values)/3 || m.Dim != 3 || !slices.Equal(m.Values, values) {
			t.Fatalf("%+v, %v, want %v", m, err, values)
		}
		if err := m.Close(); err != nil || m.Values != nil {
			t.Errorf("close: %v, left %v", err, m.Values)
		}
	}
	path := filepath.Join(t.TempDir(), "bad.npy")
	write(t, path, "PK")
	if _, err := Map(path); err == nil || err.Error() != path+": not an .npy file of version 1.0" {
		t.Errorf("got %v", err)
	}
}
