package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// scanner returns the length of the first piece of s, which is not empty. The split patterns of GPT-like models
// match every character, so one function that cuts the first match off stands for the regular expression.
type scanner func(s string) int

const (
	gpt2Pattern   = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	gpt2Grouped   = `'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	llama3Pattern = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	qwen2Pattern  = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// scanners are the patterns of Split that have a scanner.
var scanners = map[string]scanner{
	gpt2Pattern:   gpt2Scanner,
	gpt2Grouped:   gpt2Scanner,
	llama3Pattern: llamaScanner(3),
	qwen2Pattern:  llamaScanner(1),
}

const notOther = letter | number | space // [^\s\p{L}\p{N}] is none of these

// gpt2Scanner is gpt2Pattern.
func gpt2Scanner(s string) int {
	if s[0] == '\'' {
		if n := contraction(s, false); n > 0 {
			return n
		}
	}
	i := 0
	c, width := classAt(s, 0)
	if s[0] == ' ' && len(s) > 1 {
		if next, w := classAt(s, 1); next&space == 0 {
			i, c, width = 1, next, w
		}
	}
	switch {
	case c&letter != 0:
		return span(s, i+width, letter, letter)
	case c&number != 0:
		return span(s, i+width, number, number)
	case c&space == 0:
		return span(s, i+width, notOther, 0)
	}
	return blanks(s, span(s, width, space, space))
}

// llamaScanner is llama3Pattern (numbers of up to three digits) or qwen2Pattern (one digit).
func llamaScanner(maxDigits int) scanner {
	return func(s string) int {
		if s[0] == '\'' {
			if n := contraction(s, true); n > 0 {
				return n
			}
		}
		c, width := classAt(s, 0)
		switch {
		case c&letter != 0:
			return span(s, width, letter, letter)
		case c&number != 0:
			return digits(s, maxDigits)
		}
		var next class
		var nextWidth int
		if width < len(s) {
			next, nextWidth = classAt(s, width)
			if next&letter != 0 && s[0] != '\r' && s[0] != '\n' {
				return span(s, width+nextWidth, letter, letter)
			}
		}
		switch {
		case c&space == 0:
			return newlines(s, span(s, width, notOther, 0))
		case s[0] == ' ' && nextWidth > 0 && next&notOther == 0:
			return newlines(s, span(s, width+nextWidth, notOther, 0))
		}
		end := span(s, width, space, space)
		if last := strings.LastIndexAny(s[:end], "\r\n"); last >= 0 {
			return last + 1 // \s*[\r\n]+
		}
		return blanks(s, end)
	}
}

// classAt returns the classes of the code point at i and its length in bytes.
func classAt(s string, i int) (class, int) {
	if c := s[i]; c < utf8.RuneSelf {
		return classPages[0][c], 1
	}
	r, width := utf8.DecodeRuneInString(s[i:])
	return classOf(r), width
}

// contraction returns the length of 's, 't, 're, 've, 'm, 'll or 'd at the start of s, 0 if there is none.
// Under (?i) U+017F, the long s, folds to s as well.
func contraction(s string, fold bool) int {
	if len(s) < 2 {
		return 0
	}
	a, b := s[1], byte(0)
	if len(s) > 2 {
		b = s[2]
	}
	if fold {
		if a == 0xC5 && b == 0xBF {
			return 3
		}
		a, b = a|0x20, b|0x20 // the letters compared with have no other byte that folds to them
	}
	switch {
	case a == 's' || a == 't' || a == 'm' || a == 'd':
		return 2
	case a == 'r' && b == 'e' || a == 'v' && b == 'e' || a == 'l' && b == 'l':
		return 3
	}
	return 0
}

// digits is \p{N}{1,max}.
func digits(s string, max int) int {
	i := 0
	for n := 0; n < max && i < len(s); n++ {
		c, width := classAt(s, i)
		if c&number == 0 {
			break
		}
		i += width
	}
	return i
}

// newlines is [\r\n]* from i.
func newlines(s string, i int) int {
	for i < len(s) && (s[i] == '\r' || s[i] == '\n') {
		i++
	}
	return i
}

// blanks is \s+(?!\S)|\s+ on a run of white space that ends at end: all of it at the end of the text, else all
// but the last, which goes to the next word, but at least one.
func blanks(s string, end int) int {
	if end < len(s) {
		if _, width := utf8.DecodeLastRuneInString(s[:end]); width < end {
			return end - width
		}
	}
	return end
}
