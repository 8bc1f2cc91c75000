package prepare

import (
	"strings"
	"testing"
	"unicode"
)

// plain has a fast path for ASCII: it must agree with the rule itself on any text.
func FuzzPlain(f *testing.F) {
	for _, text := range []string{"", "a, b", " (a)\t_b1\n", "é—ü ٣", "\xff a", "..."} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		words := strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' })
		if got, want := plain(text), strings.Join(words, " "); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	})
}
