package data

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"revela/data/parquet"
	"revela/internal/testdata"
)

func TestEach(t *testing.T) {
	dir := t.TempDir()
	plain := testdata.Write(t, "g.jsonl", `["a", "b"]`+"\n"+`["alone"]`+"\n\n"+`{"src": "s", "query": ["q"], "text": ["c", "d"]}`+"\n")
	type row struct {
		Source string   `parquet:"src,optional"`
		Text   []string `parquet:"text,list"`
	}
	err := parquet.Write(filepath.Join(dir, "g.parquet"), func(put func(row) error) error {
		return errors.Join(put(row{"s", []string{"a", "b"}}), put(row{"", []string{"c", "d"}}))
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, wantBroken := range map[string]string{plain: "g.jsonl:2: group of 1 text, expected at least 2", filepath.Join(dir, "g.parquet"): ""} {
		var texts []string
		var lines []int
		brokenLines := ""
		err := Each(path, func(group Group, broken error) error {
			if broken != nil {
				brokenLines += broken.Error()
				return nil
			}
			texts, lines = append(texts, group.Texts...), append(lines, group.Line)
			return nil
		})
		if err != nil || !slices.Equal(texts, []string{"a", "b", "c", "d"}) || !strings.HasSuffix(brokenLines, wantBroken) || (wantBroken == "") != (brokenLines == "") {
			t.Errorf("%s: texts %q, lines %v, broken %q, error %v", path, texts, lines, brokenLines, err)
		}
		stop := errors.New("enough")
		if err := Each(path, func(Group, error) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("%s: got %v, want what visit returned", path, err)
		}
	}
	if err := Each(filepath.Join(dir, "none.parquet"), nil); err == nil || !strings.Contains(err.Error(), "none.parquet") {
		t.Errorf("missing file: %v", err)
	}
}
