package sentence

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxWords is the paper's length of a chunk.
const MaxWords = 120

// Span is a part of a text in bytes.
type Span struct{ Start, End int }

// Chunks packs the sentences of text into chunks of at most maxWords words, as many in each as fit.
// A chunk is a part of text as it stands, line breaks included. A sentence that is longer alone is cut,
// at the end of a line where that is possible, else between words.
func Chunks(text string, maxWords int) []string {
	var chunks []string
	for _, s := range Spans(text, maxWords) {
		chunks = append(chunks, text[s.Start:s.End])
	}
	return chunks
}

// Spans returns where the chunks of Chunks lie.
func Spans(text string, maxWords int) []Span {
	var chunks []Span
	var chunk Span
	words := 0
	add := func(piece span, n int) {
		if words > 0 && words+n > maxWords {
			chunks = append(chunks, chunk)
			words = 0
		}
		if words == 0 {
			chunk.Start = piece.start
		}
		chunk.End = piece.end
		words += n
	}
	for sentence := range split(text) {
		if n := Words(text[sentence.start:sentence.end]); n <= maxWords {
			add(sentence, n)
			continue
		}
		for _, piece := range cut(text, sentence, maxWords) {
			add(piece, Words(text[piece.start:piece.end]))
		}
	}
	if words > 0 {
		chunks = append(chunks, chunk)
	}
	return chunks
}

// Words counts words: runs without white space, and single characters of scripts that write none.
func Words(text string) int {
	n, inside := 0, false
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c >= utf8.RuneSelf {
			return n + wordsOf(text[i:], inside)
		}
		space := c == ' ' || c-'\t' < 5
		if !space && !inside {
			n++
		}
		inside = !space
	}
	return n
}

// wordsOf is Words for any text, within a word or not.
func wordsOf(text string, inside bool) int {
	n := 0
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
	return n
}

// alone tells whether the character belongs to a script without spaces between words.
func alone(r rune) bool {
	return r >= 0x0e00 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai)
}

// cut takes a sentence longer than maxWords apart: into lines, and lines that are too long into words,
// which Chunks packs again.
func cut(text string, sentence span, maxWords int) []span {
	var pieces []span
	at := sentence.start
	for line := range strings.Lines(text[sentence.start:sentence.end]) {
		piece := span{at, at + len(line)}.trim(text)
		at += len(line)
		if Words(text[piece.start:piece.end]) <= maxWords {
			pieces = append(pieces, piece)
			continue
		}
		pieces = append(pieces, words(text, piece)...)
	}
	return pieces
}

// words yields what Words counts.
func words(text string, part span) []span {
	var list []span
	inside := false
	for i, r := range text[part.start:part.end] {
		at := part.start + i
		switch {
		case unicode.IsSpace(r):
			inside = false
		case alone(r) || !inside:
			list = append(list, span{at, at + utf8.RuneLen(r)})
			inside = !alone(r)
		default:
			list[len(list)-1].end = at + utf8.RuneLen(r)
		}
	}
	return list
}
