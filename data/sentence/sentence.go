// Package sentence cuts text into sentences and packs whole sentences into chunks, as Revela does
// (arXiv 2506.16552: whole sentences, at most 120 words a chunk).
//
// Boundaries are Unicode's (UAX 29) within paragraphs, which end at blank lines: a single line break is
// taken for a space, so hard-wrapped prose stays whole, and abbreviations and initials do not end a sentence.
package sentence

import (
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/sentences"
)

// Split yields the sentences of text in order, without the white space around them.
func Split(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for s := range split(text) {
			if !yield(text[s.start:s.end]) {
				return
			}
		}
	}
}

// span is a part of a text in bytes.
type span struct{ start, end int }

// trim leaves out the white space around a span; an empty span is left of nothing.
func (s span) trim(text string) span {
	if s.start < s.end && text[s.start]-'!' < 'z'-'!' && text[s.end-1]-'!' < 'z'-'!' {
		return s // the common case: printable ASCII on both sides
	}
	inner := text[s.start:s.end]
	s.end -= len(inner) - len(strings.TrimRightFunc(inner, unicode.IsSpace))
	inner = text[s.start:s.end]
	s.start += len(inner) - len(strings.TrimLeftFunc(inner, unicode.IsSpace))
	return s
}

// split yields where the sentences of text lie.
func split(text string) iter.Seq[span] {
	return func(yield func(span) bool) {
		for paragraph := range paragraphs(text) {
			if !splitParagraph(text, paragraph, yield) {
				return
			}
		}
	}
}

// paragraphs yields the parts of text between lines that are blank.
func paragraphs(text string) iter.Seq[span] {
	return func(yield func(span) bool) {
		start, at := 0, 0
		for line := range strings.Lines(text) {
			if strings.TrimSpace(line) == "" {
				if at > start && !yield(span{start, at}) {
					return
				}
				start = at + len(line)
			}
			at += len(line)
		}
		if at > start {
			yield(span{start, at})
		}
	}
}

// lineBreaks keeps every byte's place, so that cuts in the replaced text fit the original.
var lineBreaks = strings.NewReplacer("\n", " ", "\r", " ")

func splitParagraph(text string, paragraph span, yield func(span) bool) bool {
	start := paragraph.start
	folded := text[paragraph.start:paragraph.end]
	if strings.ContainsAny(folded, "\r\n") {
		folded = lineBreaks.Replace(folded)
	}
	tokens := sentences.FromString(folded)
	for tokens.Next() {
		end := paragraph.start + tokens.End()
		if end < paragraph.end && endsInAbbreviation(tokens.Value()) {
			continue // the next sentence is its continuation
		}
		if s := (span{start, end}).trim(text); s.end > s.start && !yield(s) {
			return false
		}
		start = end
	}
	return true
}

// abbreviations are English ones that a capital letter commonly follows.
var abbreviations = wordSet(`mr mrs ms dr prof st sen rep gov gen col capt lt sgt rev hon jr sr messrs mt ft
	fig figs eq eqs no nos vol vols ed eds pp sec ch approx cf e.g i.e viz vs v al ca inc ltd co corp dept univ est
	jan feb mar apr jun jul aug sep sept oct nov dec u.s u.k u.n ph.d`)

func wordSet(words string) map[string]bool {
	set := map[string]bool{}
	for _, word := range strings.Fields(words) {
		set[word] = true
	}
	return set
}

// endsInAbbreviation tells whether the sentence's last word is an abbreviation or a single initial.
func endsInAbbreviation(sentence string) bool {
	sentence, dot := strings.CutSuffix(strings.TrimRight(sentence, " "), ".")
	if !dot {
		return false
	}
	word := sentence[strings.LastIndexAny(sentence, " \t([\"'")+1:]
	first, size := utf8.DecodeRuneInString(word)
	if size == len(word) && unicode.IsUpper(first) {
		return first != 'I' // an initial; "I" is more often a word
	}
	return abbreviations[strings.ToLower(word)]
}
