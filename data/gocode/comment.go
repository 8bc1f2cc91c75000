package gocode

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// WithoutName folds a comment to one line and takes a function's own name out of it, with the qualifier
// before it, the brackets of a doc link and the parentheses of a call: who predicts the comment from the
// code could copy the name, and who searches does not know it.
func WithoutName(comment, name string) string {
	var b strings.Builder
	for rest := comment; ; {
		at := indexWord(rest, name)
		if at < 0 {
			b.WriteString(rest)
			return strings.Join(strings.Fields(b.String()), " ")
		}
		before, after := rest[:at], rest[at+len(name):]
		before = cutQualifier(before)
		if strings.HasSuffix(before, "[") && strings.HasPrefix(after, "]") {
			before, after = before[:len(before)-1], after[1:]
		}
		b.WriteString(before)
		rest = strings.TrimPrefix(after, "()")
	}
}

// indexWord finds name in text where no letter, digit or underscore touches it.
func indexWord(text, name string) int {
	for from := 0; ; {
		at := strings.Index(text[from:], name)
		if at < 0 || name == "" {
			return -1
		}
		at += from
		before, _ := utf8.DecodeLastRuneInString(text[:at])
		after, _ := utf8.DecodeRuneInString(text[at+len(name):])
		if !isWord(before) && !isWord(after) {
			return at
		}
		from = at + len(name)
	}
}

// cutQualifier removes the receiver or package that ends text, as in "see bytes.".
func cutQualifier(text string) string {
	for strings.HasSuffix(text, ".") {
		head := strings.TrimRightFunc(text[:len(text)-1], isWord)
		if len(head) == len(text)-1 {
			return text // the dot ends a sentence
		}
		text = strings.TrimSuffix(head, "*")
	}
	return text
}

func isWord(r rune) bool {
	return r == '_' || r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r))
}
