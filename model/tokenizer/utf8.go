package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// validUTF8 returns s with every maximal invalid part replaced by one U+FFFD: the practice that the Unicode
// standard recommends (section 3.9), Python's errors="replace" and Rust's from_utf8_lossy.
func validUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 8)
	for len(s) > 0 {
		r, width := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && width <= 1 {
			b.WriteRune(utf8.RuneError)
			s = s[invalidPrefix(s):]
			continue
		}
		b.WriteString(s[:width])
		s = s[width:]
	}
	return b.String()
}

// invalidPrefix returns the length of the ill-formed sequence at the start of s: a leading byte with those of its
// continuation bytes that are well formed so far, else one byte.
func invalidPrefix(s string) int {
	low, high, need := continuation(s[0])
	n := 1
	for n < len(s) && n < need && low <= s[n] && s[n] <= high {
		low, high = 0x80, 0xBF
		n++
	}
	return n
}

// continuation returns the range of the second byte and the length of a sequence that begins with b (Unicode, table 3-7).
func continuation(b byte) (low, high byte, length int) {
	switch {
	case b < 0xC2 || b > 0xF4:
		return 0, 0, 1
	case b < 0xE0:
		return 0x80, 0xBF, 2
	case b == 0xE0:
		return 0xA0, 0xBF, 3
	case b == 0xED:
		return 0x80, 0x9F, 3
	case b < 0xF0:
		return 0x80, 0xBF, 3
	case b == 0xF0:
		return 0x90, 0xBF, 4
	case b == 0xF4:
		return 0x80, 0x8F, 4
	}
	return 0x80, 0xBF, 4
}
