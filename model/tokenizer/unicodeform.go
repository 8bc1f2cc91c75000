package tokenizer

import (
	"sort"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// unicodeForm is NFC, NFD, NFKC or NFKD with the Unicode version of HuggingFace tokenizers: code points newer than
// its tables are copied, and nothing is reordered or composed across them.
type unicodeForm struct{ form norm.Form }

var nfd = unicodeForm{norm.NFD}

// maxMarks combining marks in a row may hold more than 30 once decomposed; golang.org/x/text then inserts a
// U+034F (the stream-safe format), which HuggingFace tokenizers does not.
const maxMarks = 7

func (f unicodeForm) normalize(s string) string {
	if f.unchanged(s) {
		return s
	}
	var b strings.Builder
	start, marks, long := 0, 0, false
	for i, r := range s {
		class := classOf(r)
		if class&unknown != 0 {
			b.WriteString(f.known(s[start:i], long))
			b.WriteRune(r)
			start, marks, long = i+utf8.RuneLen(r), 0, false
			continue
		}
		if class&combining == 0 {
			marks = 0
		} else if marks++; marks > maxMarks {
			long = true
		}
	}
	if start == 0 {
		return f.known(s, long)
	}
	b.WriteString(f.known(s[start:], long))
	return b.String()
}

// unchanged is a fast and safe test for text that is in the form already.
func (f unicodeForm) unchanged(s string) bool {
	if f.form != norm.NFC {
		return isASCII(s)
	}
	for i := 0; i < len(s); i++ {
		if s[i] >= 0xCC { // U+0300 and above; everything below is stable under NFC
			return false
		}
	}
	return true
}

func (f unicodeForm) known(s string, long bool) string {
	if !long {
		return f.form.String(s)
	}
	return f.normalizeLong(s)
}

// normalizeLong follows the definition (Unicode, section 3.11) step by step: decompose, order, compose.
func (f unicodeForm) normalizeLong(s string) string {
	decompose, compose := norm.NFD, f.form == norm.NFC || f.form == norm.NFKC
	if f.form == norm.NFKC || f.form == norm.NFKD {
		decompose = norm.NFKD
	}
	var runes []rune
	for _, r := range s {
		runes = append(runes, []rune(decompose.String(string(r)))...)
	}
	orderMarks(runes)
	if compose {
		runes = composeRunes(runes)
	}
	return string(runes)
}

func combiningClass(r rune) uint8 {
	return norm.NFD.PropertiesString(string(r)).CCC()
}

// orderMarks sorts every run of non-starters by combining class, stably.
func orderMarks(runes []rune) {
	for i := 0; i < len(runes); i++ {
		j := i
		for j < len(runes) && combiningClass(runes[j]) != 0 {
			j++
		}
		run := runes[i:j]
		sort.SliceStable(run, func(a, b int) bool { return combiningClass(run[a]) < combiningClass(run[b]) })
		i = j
	}
}

// composeRunes merges every mark with its starter where Unicode has a composite and nothing blocks the mark.
func composeRunes(runes []rune) []rune {
	out := runes[:0]
	starter, last := -1, uint8(0) // index of the starter in out; class of the mark kept before, 0 for none
	for _, r := range runes {
		ccc := combiningClass(r)
		adjacent := starter >= 0 && starter == len(out)-1
		if starter >= 0 && (adjacent || last < ccc && last != 0) {
			if c, ok := composite(out[starter], r); ok {
				out[starter] = c
				continue
			}
		}
		out = append(out, r)
		last = ccc
		if ccc == 0 {
			starter = len(out) - 1
		}
	}
	return out
}

func composite(a, b rune) (rune, bool) {
	s := norm.NFC.String(string(a) + string(b))
	r, width := utf8.DecodeRuneInString(s)
	return r, width == len(s)
}
