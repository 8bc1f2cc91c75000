package evaluate

import (
	"slices"
	"testing"
)

// Where a document stands is read as prepare writes it; other data sets may use these keys for anything.
func TestEachDocumentPlace(t *testing.T) {
	path := write(t, t.TempDir(), "corpus.jsonl", `{"_id": "a", "text": "x", "file": "a/b.go", "line": 12, "name": "b.F"}
{"_id": "b", "text": "y", "file": {"x": 1}, "line": "12", "name": null}
`)
	var got []Document
	err := EachDocument(path, func(_ int, d Document) error {
		got = append(got, d)
		return nil
	})
	want := []Document{{ID: "a", Text: "x", File: "a/b.go", Line: 12, Name: "b.F"}, {ID: "b", Text: "y"}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}
