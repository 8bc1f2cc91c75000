package gocode

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// docLink is a name in brackets, as comments link to it.
var docLink = regexp.MustCompile(`(^|[\s(])\[(\*?[\pL_][\pL\d_./]*)\]`)

// WithoutName folds a comment to one line, takes the brackets of doc links away, and takes a function's own name out of it, with the qualifier
// before it and the parentheses of a call: who predicts the comment from the
// code could copy the name, and who searches does not know it.
func WithoutName(comment, name string) string {
	var b strings.Builder
	for rest := docLink.ReplaceAllString(comment, "$1$2"); ; {
		at := indexWord(rest, name)
		if at < 0 {
			b.WriteString(rest)
			return strings.Join(strings.Fields(b.String()), " ")
		}
		before, after := rest[:at], rest[at+len(name):]
		b.WriteString(cutQualifier(before))
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
