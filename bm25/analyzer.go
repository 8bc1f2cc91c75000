package bm25

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// Identifiers says how names in program text become terms.
type Identifiers int

// The ways to treat camelCase and snake_case. A part of a single character is dropped, as a word of one is.
const (
	Whole         Identifiers = iota // one term: getUserName → getusername
	Parts                            // its parts: get, user, name
	WholeAndParts                    // both
)

// Analysis turns text into terms. The zero value is bm25s's tokeniser without stop words and stemmer: lower case,
// pattern (?u)\b\w\w+\b.
type Analysis struct {
	StopWords   bool // drop bm25s's English stop words
	Stem        bool // reduce words to their Snowball English stems
	Identifiers Identifiers
}

// English is the usual analysis of text, and mteb's BM25 baseline: stop words and stemming.
var English = Analysis{StopWords: true, Stem: true}

// Code is the analysis of program text: as English, with identifiers split.
var Code = Analysis{StopWords: true, Stem: true, Identifiers: WholeAndParts}

// EachTerm calls visit for the terms of text in their order.
func (a Analysis) EachTerm(text string, visit func(term string)) {
	a.eachWord(text, func(word string) {
		if !a.drops(word) {
			visit(a.stem(word))
		}
	})
}

func (a Analysis) drops(word string) bool { return a.StopWords && stopWords[word] }

func (a Analysis) stem(word string) string {
	if a.Stem {
		return Stem(word)
	}
	return word
}

// eachWord calls visit for every word in lower case, before stop words and stemming.
func (a Analysis) eachWord(text string, visit func(word string)) {
	if a.Identifiers == Whole {
		eachRun(lower(text), visit)
		return
	}
	eachRun(text, func(identifier string) {
		parts := splitIdentifier(identifier)
		split := len(parts) > 1 || parts[0] != identifier
		if !split || a.Identifiers == WholeAndParts {
			visit(lower(identifier))
		}
		if !split {
			return
		}
		for _, part := range parts {
			if utf8.RuneCountInString(part) > 1 {
				visit(lower(part))
			}
		}
	})
}

// lower is Python's str.lower: full case mapping with the final sigma, which strings.ToLower has not.
func lower(text string) string {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return cases.Lower(language.Und).String(text)
		}
	}
	return strings.ToLower(text)
}

// eachRun calls visit for the matches of Python's (?u)\b\w\w+\b: the longest runs of two or more word characters.
func eachRun(text string, visit func(run string)) {
	start, length := -1, 0
	for i, r := range text {
		if isWordCharacter(r) {
			if length == 0 {
				start = i
			}
			length++
			continue
		}
		if length > 1 {
			visit(text[start:i])
		}
		length = 0
	}
	if length > 1 {
		visit(text[start:])
	}
}

// isWordCharacter is \w of Python's re: letters, numbers of every kind and the underscore, but no combining marks.
func isWordCharacter(r rune) bool {
	if r < utf8.RuneSelf {
		return r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	}
	return unicode.IsLetter(r) || unicode.IsNumber(r)
}

// splitIdentifier cuts at underscores, before an upper-case letter that follows a lower-case letter or a digit, and
// before the last upper-case letter of several that a lower-case one follows: HTTPServer_name2Id → HTTP, Server, name2, Id.
// What consists of underscores alone is its own only part.
func splitIdentifier(identifier string) []string {
	var parts []string
	runes := []rune(identifier)
	start := 0
	cut := func(end int) {
		if end > start {
			parts = append(parts, string(runes[start:end]))
		}
	}
	for i, r := range runes {
		switch {
		case r == '_':
			cut(i)
			start = i + 1
		case i > start && unicode.IsUpper(r) && startsPart(runes, i):
			cut(i)
			start = i
		}
	}
	cut(len(runes))
	if len(parts) == 0 {
		return []string{identifier}
	}
	return parts
}

func startsPart(runes []rune, i int) bool {
	if before := runes[i-1]; unicode.IsLower(before) || unicode.IsDigit(before) {
		return true
	}
	return i+1 < len(runes) && unicode.IsLower(runes[i+1])
}
