package sentence

import (
	"testing"
	"unicode"
)

// Words has a fast path for ASCII: it must agree with the rule itself on any text.
func FuzzWords(f *testing.F) {
	for _, text := range []string{"", "a b", " a\tb\n", "a\u00a0b", "x一二 y", "\x1f\x85 é", "a\x0b\x0cb\r\nc"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, inside := 0, false
		for _, r := range text {
			switch {
			case unicode.IsSpace(r):
				inside = false
			case alone(r):
				n++
				inside = false
			case !inside:
				n++
				inside = true
			}
		}
		if got := Words(text); got != n {
			t.Errorf("%q: got %d words, want %d", text, got, n)
		}
	})
}

func TestPackByAnotherMeasure(t *testing.T) {
	text := "One two three. Four five.\n\nSix seven eight nine. Ten. A sentence of more words than the limit allows for."
	for _, limit := range []int{1, 3, 4, 5, 9, 12, 100} {
		spans := Pack(text, limit, Words)
		at := 0
		for i, s := range spans {
			chunk := text[s.Start:s.End]
			if n := Words(chunk); n > limit || n == 0 {
				t.Errorf("limit %d: %q has %d words", limit, chunk, n)
			}
			if s.Start < at {
				t.Errorf("limit %d: chunk %d overlaps the one before", limit, i)
			}
			at = s.End
		}
		total := 0
		for _, s := range spans {
			total += Words(text[s.Start:s.End])
		}
		if total != Words(text) {
			t.Errorf("limit %d: %d words in chunks, want %d", limit, total, Words(text))
		}
	}
	if got := Pack("One two. Three four. Five.", 4, Words); len(got) != 2 || got[1].Start != 21 {
		t.Errorf("whole sentences are not kept: %v", got)
	}
}
