package reproduce

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"revela/data"
)

// What the scale tiny is made of is the same every time, and of words that its models know.
func TestMakeTinyRepeats(t *testing.T) {
	a, b := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	for _, dir := range []string{a, b} {
		if err := MakeTiny(dir); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"retriever/model.safetensors", "lm/model.safetensors", "documents.jsonl", "tiny/corpus.jsonl", "tiny/queries.jsonl", "tiny/qrels/test.tsv"} {
		first, err := os.ReadFile(filepath.Join(a, file))
		if err != nil {
			t.Fatal(err)
		}
		second, err := os.ReadFile(filepath.Join(b, file))
		if err != nil || !bytes.Equal(first, second) {
			t.Errorf("%s differs (%v)", file, err)
		}
	}
	tokens, vocabulary, err := tinyTokenizer()
	if err != nil || vocabulary != TinyVocabulary {
		t.Fatalf("%d tokens, want %d: %v", vocabulary, TinyVocabulary, err)
	}
	for _, id := range tokens.Encode("query: " + tinyText(7, rareWords(TinyDocuments-1), 5)) {
		if id == 0 {
			t.Fatal("a word is not in the vocabulary")
		}
	}
}

func TestWritePairs(t *testing.T) {
	dir := t.TempDir()
	input, output := filepath.Join(dir, "groups.jsonl"), filepath.Join(dir, "pairs.jsonl")
	long := strings.Fields(tinyText(1, nil, 10))
	content := `{"src": "s", "text": ["` + strings.Join(long, " ") + `", "two words"]}` + "\n" + `["one", "a b c d e f g h i j"]` + "\n"
	if err := os.WriteFile(input, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	n, err := WritePairs(context.Background(), output, []string{input}, 3)
	if err != nil || n != 2 {
		t.Fatalf("%d groups, %v", n, err)
	}
	groups, err := data.Open([]string{output}, data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer groups.Close()
	first, err := groups.Group(0, 0)
	if err != nil || first.Source != "s" || len(first.Queries) != 2 || len(first.Texts) != 2 {
		t.Fatalf("%+v, %v", first, err)
	}
	for _, part := range []string{first.Queries[0], first.Texts[0]} {
		if n := len(strings.Fields(part)); !strings.Contains(strings.Join(long, " "), part) || n < len(long)/10 || n > len(long)/2 {
			t.Errorf("%d of %d words: %s", n, len(long), part)
		}
	}
	if first.Queries[0] == first.Texts[0] {
		t.Error("both crops are one")
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := WritePairs(cancelled, filepath.Join(dir, "other.jsonl"), []string{input}, 3); err == nil {
		t.Error("not interrupted")
	}
	if found, err := filepath.Glob(filepath.Join(dir, "*other*")); err != nil || len(found) > 0 {
		t.Errorf("left %v, %v", found, err)
	}
}

// Crops reach both ends of a text and both bounds of length.
func TestCrop(t *testing.T) {
	words := strings.Fields("a b c d e f g h i j k l m n o p q r s t")
	lengths, starts := map[int]bool{}, map[string]bool{}
	for key := range uint64(2000) {
		cropped := strings.Fields(crop(words, key))
		lengths[len(cropped)], starts[cropped[0]] = true, true
	}
	if len(lengths) != 9 || !lengths[2] || !lengths[10] || len(starts) != 19 || !starts["a"] || !starts["s"] {
		t.Errorf("lengths %v, starts %v", lengths, starts)
	}
	if got := crop([]string{"alone"}, 5); got != "alone" {
		t.Errorf("got %q", got)
	}
}

func TestShell(t *testing.T) {
	got := Shell([]string{"train", "--set", "a=[b, c]", "it's", "", "x/y:z,1"})
	if want := `train --set 'a=[b, c]' 'it'\''s' '' x/y:z,1`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
