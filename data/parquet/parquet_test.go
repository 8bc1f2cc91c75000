package parquet

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// The files of testdata hold what make.py wrote; want repeats it.
const rowsOfTestdata = 700

func want(i int) map[string]any {
	row := map[string]any{
		"_id": fmt.Sprintf("d%d", i), "text": fmt.Sprintf("text %d ü ", i) + strings.Repeat("x", i%50), "score": int64(i - 5),
		"weight": float64(i) / 4, "is_long": i%2 == 0, "meta.source": fmt.Sprintf("s%d", i%5), "meta.line": int64(i),
	}
	if i%7 == 3 {
		row["text"] = nil
	}
	gold, numbers := []any{}, []any{}
	for j := range i % 4 {
		gold = append(gold, fmt.Sprintf("g%d_%d", i, j))
		if j == 2 {
			gold[j] = nil
		}
	}
	for j := range i % 3 {
		numbers = append(numbers, int64(j))
	}
	row["gold_ids"], row["numbers"] = gold, numbers
	if i%11 == 5 {
		row["gold_ids"] = nil
	}
	return row
}

func files(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.parquet")
	if err != nil || len(files) != 3 {
		t.Fatalf("files %v, %v", files, err)
	}
	return files
}

func TestRows(t *testing.T) {
	for _, path := range files(t) {
		n := 0
		err := Rows(path, nil, func(row int64, values map[string]any) error {
			if row != int64(n) || !reflect.DeepEqual(values, want(n)) {
				return fmt.Errorf("number %d: got %v, want %v", n, values, want(n))
			}
			n++
			return nil
		})
		if err != nil || n != rowsOfTestdata {
			t.Errorf("%s: %d rows, %v", path, n, err)
		}
	}
}

func TestColumns(t *testing.T) {
	want := []string{"_id", "text", "score", "weight", "is_long", "gold_ids", "numbers", "meta.source", "meta.line"} // nested is a list of lists
	if got, err := Columns("testdata/snappy.parquet"); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

// Seeking goes to any row, lists included, across row groups.
func TestSeekRow(t *testing.T) {
	for _, path := range files(t) {
		r, err := Open(path, []string{"gold_ids", "_id"})
		if err != nil {
			t.Fatal(err)
		}
		if r.Len() != rowsOfTestdata {
			t.Errorf("%s: %d rows", path, r.Len())
		}
		for _, row := range []int{0, 699, 1, 299, 300, 301, 450, 17, 612} {
			if err := r.SeekRow(int64(row)); err != nil {
				t.Fatal(err)
			}
			for i := row; i < min(row+3, rowsOfTestdata); i++ {
				w := want(i)
				if !r.Next() || r.Row() != int64(i) || !reflect.DeepEqual(r.Values(), map[string]any{"_id": w["_id"], "gold_ids": w["gold_ids"]}) {
					t.Fatalf("%s: after seeking %d: row %d is %v, %v", path, row, i, r.Values(), r.Err())
				}
			}
		}
		if err := r.SeekRow(rowsOfTestdata); err != nil || r.Next() || r.Err() != nil {
			t.Errorf("%s: behind the last row: %v", path, r.Err())
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestErrors(t *testing.T) {
	dir := t.TempDir()
	sound, err := os.ReadFile("testdata/snappy.parquet")
	if err != nil {
		t.Fatal(err)
	}
	put := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	none := func(int64, map[string]any) error { return nil }
	for _, test := range []struct {
		name, path string
		columns    []string
		want       string
	}{
		{"unknown column", "testdata/snappy.parquet", []string{"body"},
			`no column "body" of texts, numbers or lists of them, found: _id, text, score, weight, is_long, gold_ids, numbers, meta.source, meta.line`},
		{"text", put("text", []byte("one line of text\n")), nil, "not a Parquet file, or a damaged one"},
		{"empty", put("empty", nil), nil, "not a Parquet file, or a damaged one"},
		{"truncated", put("truncated", sound[:len(sound)/2]), nil, "not a Parquet file, or a damaged one"},
	} {
		err := Rows(test.path, test.columns, none)
		if err == nil || !strings.HasPrefix(err.Error(), test.path+": "+test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want %s", test.name, err, test.want)
		}
	}
	if err := Rows(dir+"/absent", nil, none); !os.IsNotExist(err) {
		t.Errorf("got %v", err)
	}
	err = Rows("testdata/snappy.parquet", nil, func(row int64, _ map[string]any) error {
		if row == 1 {
			return os.ErrInvalid
		}
		return nil
	})
	if err == nil || err.Error() != "testdata/snappy.parquet: row 1: invalid argument" {
		t.Errorf("visit's error: got %v", err)
	}
}

// Damaged bytes end in an error or in values, never in a panic.
func TestDamaged(t *testing.T) {
	sound, err := os.ReadFile("testdata/snappy.parquet")
	if err != nil {
		t.Fatal(err)
	}
	path, failed := filepath.Join(t.TempDir(), "f.parquet"), 0
	for at := 4; at < len(sound); at += len(sound)/200 + 1 {
		damaged := slices.Clone(sound)
		for i := at; i < min(at+8, len(damaged)); i++ {
			damaged[i] ^= 0xa5
		}
		if err := os.WriteFile(path, damaged, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := Rows(path, nil, func(int64, map[string]any) error { return nil }); err != nil {
			failed++
		}
	}
	if failed < 20 {
		t.Errorf("%d of 200 damaged files were noticed", failed)
	}
}
