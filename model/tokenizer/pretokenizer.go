package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// piece is a part of a text on its way to the model.
type piece struct {
	text  string
	start bool // it begins at offset 0 of the original text (Metaspace with prepend_scheme "first")
}

// preTokenizer cuts a piece and appends its parts (HF: tokenizers.pre_tokenizers).
type preTokenizer interface {
	split(dst []piece, p piece) []piece
}

// scanSplit is Split with a pattern of the scanners, behavior Isolated.
type scanSplit struct{ scan scanner }

func (x scanSplit) split(dst []piece, p piece) []piece {
	for s := p.text; len(s) > 0; {
		n := x.scan(s)
		dst = append(dst, piece{s[:n], p.start})
		p.start = false
		s = s[n:]
	}
	return dst
}

// byteLevel is ByteLevel, which is the last pre-tokenizer always: the map from bytes to printable characters
// happens in the vocabulary when it is loaded, not in the text.
type byteLevel struct {
	addPrefixSpace, useRegex bool
}

func (x byteLevel) split(dst []piece, p piece) []piece {
	if x.addPrefixSpace && !strings.HasPrefix(p.text, " ") {
		p.text = " " + p.text
	}
	if x.useRegex {
		return scanSplit{gpt2Scanner}.split(dst, p)
	}
	return append(dst, p)
}

// metaspace is Metaspace: blanks become the replacement, which starts a new part.
type metaspace struct {
	replacement string
	scheme      string // always, first or never
	cut         bool
}

func (x metaspace) split(dst []piece, p piece) []piece {
	s := strings.ReplaceAll(p.text, " ", x.replacement)
	if !strings.HasPrefix(s, x.replacement) && (x.scheme == "always" || x.scheme == "first" && p.start) {
		s = x.replacement + s
	}
	if !x.cut {
		return append(dst, piece{s, p.start})
	}
	for start := p.start; len(s) > 0; start = false {
		_, first := utf8.DecodeRuneInString(s)
		n := strings.Index(s[first:], x.replacement)
		if n < 0 {
			return append(dst, piece{s, start})
		}
		dst = append(dst, piece{s[:first+n], start})
		s = s[first+n:]
	}
	return dst
}

// wordSplit is Whitespace: \w+|[^\w\s]+.
type wordSplit struct{}

func (wordSplit) split(dst []piece, p piece) []piece {
	s := p.text
	for i := 0; i < len(s); {
		c, _ := classAt(s, i)
		end := span(s, i, word|space, c&(word|space))
		if c&space == 0 {
			dst = append(dst, piece{s[i:end], p.start && i == 0})
		}
		i = end
	}
	return dst
}

// bertSplit is BertPreTokenizer: white space is removed, punctuation stands alone.
type bertSplit struct{}

func (bertSplit) split(dst []piece, p piece) []piece {
	s := p.text
	for i := 0; i < len(s); {
		c, width := classAt(s, i)
		end := i + width
		switch {
		case c&space != 0:
			i = end
			continue
		case c&punctuation == 0:
			end = span(s, end, space|punctuation, 0)
		}
		dst = append(dst, piece{s[i:end], p.start && i == 0})
		i = end
	}
	return dst
}
