package sentence

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"revela/data/jsonl"
	"revela/internal/testdata"
)

func TestSplit(t *testing.T) {
	for _, test := range []struct {
		text string
		want []string
	}{
		{"One. Two! Three?", []string{"One.", "Two!", "Three?"}},
		{"A sentence that is\nwrapped. Another\r\none.", []string{"A sentence that is\nwrapped.", "Another\r\none."}},
		{"A heading\n\nIts text.", []string{"A heading", "Its text."}},
		{"Dr. Smith met J. R. Tolkien (e.g. Tuesday). He left.", []string{"Dr. Smith met J. R. Tolkien (e.g. Tuesday).", "He left."}},
		{"It costs 3.50 dollars. See fig. 3 of Vol. II.", []string{"It costs 3.50 dollars.", "See fig. 3 of Vol. II."}},
		{"It is I. You know me.", []string{"It is I.", "You know me."}},
		{"これは文です。次の文。", []string{"これは文です。", "次の文。"}},
		{"It ends with Dr.", []string{"It ends with Dr."}},
		{" \n\n ", nil},
		{"", nil},
	} {
		if got := slices.Collect(Split(test.text)); !slices.Equal(got, test.want) {
			t.Errorf("%q:\n got %q\nwant %q", test.text, got, test.want)
		}
	}
}

func TestChunksHoldWholeSentences(t *testing.T) {
	text := "One two three. Four five.\n\nSix seven eight nine. Ten."
	for maxWords, want := range map[int][]string{
		4:   {"One two three.", "Four five.", "Six seven eight nine.", "Ten."},
		5:   {"One two three. Four five.", "Six seven eight nine. Ten."},
		9:   {"One two three. Four five.\n\nSix seven eight nine.", "Ten."},
		120: {text},
	} {
		if got := Chunks(text, maxWords); !slices.Equal(got, want) {
			t.Errorf("at most %d words:\n got %q\nwant %q", maxWords, got, want)
		}
	}
}

func TestLongSentencesAreCut(t *testing.T) {
	for _, test := range []struct {
		text     string
		maxWords int
		want     []string
	}{
		{"- one two\n- three four\n- five", 6, []string{"- one two\n- three four", "- five"}},
		{"a b c d e f g", 3, []string{"a b c", "d e f", "g"}},
		{"一二三四五", 2, []string{"一二", "三四", "五"}},
		{"x一二 y", 2, []string{"x一", "二 y"}},
	} {
		if got := Chunks(test.text, test.maxWords); !slices.Equal(got, test.want) {
			t.Errorf("%q:\n got %q\nwant %q", test.text, got, test.want)
		}
	}
}

// On real text of every kind: no chunk is too long, none is empty, and together they are the text.
func TestDataChunksAreTheText(t *testing.T) {
	for _, name := range []string{"text-wikipedia194", "text-peps", "text-manpages", "text-tldr"} {
		r, err := jsonl.Open(testdata.Data(t, name, "docs.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		for r.Next() {
			var doc struct{ Text string }
			if err := json.Unmarshal(r.Line().Text, &doc); err != nil {
				t.Fatal(err)
			}
			chunks := Chunks(doc.Text, MaxWords)
			for i, chunk := range chunks {
				if n := Words(chunk); n == 0 || n > MaxWords {
					t.Fatalf("%s line %d: chunk %d has %d words", name, r.Line().Number, i, n)
				}
			}
			if letters(strings.Join(chunks, "")) != letters(doc.Text) {
				t.Fatalf("%s line %d: the chunks are not the text", name, r.Line().Number)
			}
		}
		if err := r.Err(); err != nil || r.Close() != nil {
			t.Fatal(err)
		}
	}
}

// letters is text without white space.
func letters(text string) string { return strings.Join(strings.Fields(text), "") }
