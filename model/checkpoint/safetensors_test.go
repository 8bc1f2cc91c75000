package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"revela/internal/testdata"
)

// file writes a file below a folder and returns its path.
func file(t *testing.T, dir, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, content, 0o644)); err != nil {
		t.Fatal(err)
	}
	return path
}

// raw builds a safetensors file from a header and the bytes behind it.
func raw(header string, data ...byte) []byte {
	return slices.Concat(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), []byte(header), data)
}

func floats(values ...float32) []byte {
	b, _ := binary.Append(nil, binary.LittleEndian, values)
	return b
}

// wantError demands an error of exactly this one line, with DIR standing for a folder or host that differs from run to run.
func wantError(t *testing.T, err error, dir, want string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %q", want)
	}
	got := err.Error()
	if dir != "" {
		got = strings.ReplaceAll(got, dir, "DIR")
	}
	if got != want {
		t.Errorf("error is\n%s\nwant\n%s", got, want)
	}
}

func TestSafetensorsRoundTrip(t *testing.T) {
	tensors := []Tensor{
		{Name: "scalar", DType: I64, Data: []byte{1, 2, 3, 4, 5, 6, 7, 8}},
		{Name: "empty", DType: F32, Shape: []int64{0, 3}},
		{Name: "flags", DType: BOOL, Shape: []int64{3}, Data: []byte{1, 0, 1}},
		{Name: "half<&>é", DType: F16, Shape: []int64{1, 2}, Data: []byte{1, 2, 3, 4}},
		{Name: "a", DType: F32, Shape: []int64{2}, Data: floats(1, -2)},
	}
	path := filepath.Join(t.TempDir(), "new", "x.safetensors")
	if err := WriteSafetensors(path, tensors, nil); err != nil {
		t.Fatal(err)
	}
	w, err := ReadSafetensors(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(w.Names()), "[a empty flags half<&>é scalar]"; got != want {
		t.Errorf("names %s, want %s", got, want)
	}
	for _, want := range tensors {
		got, ok, err := w.Tensor(want.Name)
		if err != nil || !ok || got.DType != want.DType || !slices.Equal(got.Shape, want.Shape) || !bytes.Equal(got.Data, want.Data) || got.File != path {
			t.Errorf("read %+v (%v, %v), want %+v", got, ok, err, want)
		}
	}
	if _, ok, err := w.Tensor("b"); ok || err != nil {
		t.Errorf("tensor b: found %v, %v", ok, err)
	}
	if metadata, err := ReadMetadata(path); err != nil || fmt.Sprint(metadata) != "map[format:pt]" {
		t.Errorf("metadata %v, %v", metadata, err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

// Reading a file that Python wrote and writing it again must give the same bytes.
func TestFixtureSafetensorsBytesEqualPython(t *testing.T) {
	count := 0
	err := filepath.WalkDir(testdata.Fixtures(t), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".safetensors" {
			return err
		}
		count++
		want, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if got := rewrite(t, path); !bytes.Equal(got, want) {
			t.Errorf("%s: written again it has other bytes", path)
		}
		return nil
	})
	if err != nil || count == 0 {
		t.Fatalf("%d files, %v", count, err)
	}
	t.Logf("%d files", count)
}

func rewrite(t *testing.T, path string) []byte {
	w, err := ReadSafetensors(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	metadata, err := ReadMetadata(path)
	if err != nil {
		t.Fatal(err)
	}
	if metadata == nil {
		metadata = map[string]string{}
	}
	var tensors []Tensor
	for _, name := range w.Names() {
		tensor, _, err := w.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		tensors = append(tensors, tensor)
	}
	again := filepath.Join(t.TempDir(), "again.safetensors")
	if err := WriteSafetensors(again, tensors, metadata); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(again)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestBadSafetensors(t *testing.T) {
	eight := make([]byte, 8)
	cases := []struct {
		name    string
		content []byte
		want    string
	}{
		{"empty", nil, "file has 0 bytes, expected at least 8"},
		{"huge header", []byte{0, 0, 0, 0, 0, 0, 0, 16}, "header length is 1152921504606846976, expected at most 100000000"},
		{"truncated header", raw(`{"a":`)[:10], "file is truncated: header needs 5 bytes, found 2"},
		{"no object", raw(`pickle`), `header is not a JSON object: starts with "pickle"`},
		{"broken JSON", raw(`{"a":{"dtype":"F32",]}`), `header is not JSON at byte 5: invalid character ']' looking for beginning of object key string`},
		{"unfinished JSON", raw(`{"a":{"dtype":"F32"`), `header is not JSON at byte 5: unexpected EOF`},
		{"unfinished object", raw(`{"__metadata__":{}`), `header is not JSON at byte 18: unexpected EOF`},
		{"malformed entry", raw(`{"a":{"dtype":"F32","shape":"2","data_offsets":[0,8]}}`, eight...),
			"tensor a: header entry is malformed: json: cannot unmarshal string into Go struct field tensorInfo.shape of type []int64"},
		{"metadata", raw(`{"__metadata__":{"a":1}}`), "header: __metadata__ is not an object of strings: json: cannot unmarshal number into Go value of type string"},
		{"truncated data", raw(`{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}`, eight...),
			"tensor a: file is truncated: data_offsets [0, 16] end behind the 8 bytes of data"},
		{"dtype", raw(`{"a":{"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]}}`, eight...), `tensor a: unknown dtype "F8_E4M3"`},
		{"length", raw(`{"a":{"dtype":"BF16","shape":[3],"data_offsets":[0,8]}}`, eight...),
			"tensor a: shape [3] of BF16 takes 6 bytes, data_offsets [0, 8] give 8"},
		{"negative size", raw(`{"a":{"dtype":"F32","shape":[-1,-2],"data_offsets":[0,8]}}`, eight...), "tensor a: shape [-1 -2] is impossible"},
		{"overflow", raw(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`), "tensor a: shape [4294967296 4294967296] is impossible"},
		{"offsets", raw(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}`, eight...), "tensor a: data_offsets [8, 0] are no range"},
		{"overlap", raw(`{"a":{"dtype":"U8","shape":[6],"data_offsets":[0,6]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}`, eight...),
			"tensor b: data_offsets [4 8] overlap tensor a, which ends at 6"},
		{"hole", raw(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}`, eight...),
			"tensor b: data_offsets [4 8] leave a hole of 2 bytes before it"},
		{"rest", raw(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, eight...), "tensors end at byte 2 of 8 bytes of data"},
		{"duplicate", raw(`{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"a":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}`, eight...),
			"tensor a occurs twice in the header"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			file(t, dir, "model.safetensors", c.content)
			_, err := Open(dir)
			wantError(t, err, dir, "open weights: read safetensors DIR/model.safetensors: "+c.want)
		})
	}
}

func TestBadTensorsAreNotWritten(t *testing.T) {
	cases := []struct {
		tensors []Tensor
		want    string
	}{
		{[]Tensor{{Name: "a", DType: F32, Shape: []int64{2}, Data: floats(1)}}, "tensor a: shape [2] of F32 takes 8 bytes, found 4"},
		{[]Tensor{{Name: "a", DType: U8}, {Name: "a", DType: U8}}, "tensor a: shape [] of U8 takes 1 bytes, found 0"},
		{[]Tensor{{Name: "a", DType: U8, Data: eightBit}, {Name: "a", DType: U8, Data: eightBit}}, "tensor a occurs twice"},
		{[]Tensor{{Name: "a", Data: eightBit}}, "tensor a: unknown dtype DType(0)"},
	}
	for _, c := range cases {
		dir := t.TempDir()
		err := WriteSafetensors(filepath.Join(dir, "x"), c.tensors, nil)
		wantError(t, err, dir, "write safetensors DIR/x: "+c.want)
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("%s was left behind", left[0].Name())
		}
	}
}

var eightBit = []byte{1}

func FuzzSafetensors(f *testing.F) {
	f.Add(raw(`{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, floats(1, 2)...))
	f.Fuzz(func(t *testing.T, content []byte) {
		entries, err := parseSafetensors("fuzz", content)
		for name, e := range entries {
			if n, ok := byteLength(e.tensor.DType, e.tensor.Shape); err == nil && (!ok || n != int64(len(e.tensor.Data))) {
				t.Errorf("tensor %s: shape %v, %d bytes", name, e.tensor.Shape, len(e.tensor.Data))
			}
		}
	})
}
