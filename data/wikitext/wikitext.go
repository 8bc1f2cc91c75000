// Package wikitext turns MediaWiki's markup into plain text with headings, as far as a reader of the article sees text:
// templates, tables, references, pictures and categories go, links and emphasis leave their words.
//
// A handful of templates that stand for words in running text (convert, lang, …) are resolved. Anything else of a
// template cannot be known without its definition.
package wikitext

import (
	"html"
	"strings"
	"unicode/utf8"
)

// Section is a heading and where the text below it lies, in bytes of the plain text. Level 2 is an article's highest.
type Section struct {
	Level   int
	Heading string
	At      int // where the heading starts
	Start   int // where the text below it starts
	End     int // where the next heading starts, of any level
}

// Plain returns the text of an article and its sections. Sections without text, and English Wikipedia's lists of sources
// and links (References, External links, See also, …), are left out.
func Plain(source string) (text string, sections []Section) {
	flat := strip(source)
	var w writer
	for line := range strings.Lines(flat) {
		w.line(strings.TrimSpace(line))
	}
	w.endSection()
	return strings.TrimRight(w.text.String(), "\n"), w.trimmed()
}

// writer puts lines together.
type writer struct {
	text     strings.Builder
	sections []Section
	pending  []Section // headings without text yet
	skip     int       // level of the section that is left out; 0 for none
	blank    bool      // a blank line comes before the next text
}

// apparatus are sections of links and sources, in lower case.
var apparatus = set(`references|external links|see also|further reading|notes|bibliography|sources|citations|footnotes|
	notes and references|references and notes|works cited|publications|discography|filmography|gallery`)

func set(names string) map[string]bool {
	m := map[string]bool{}
	for name := range strings.SplitSeq(names, "|") {
		m[strings.TrimSpace(name)] = true
	}
	return m
}

func (w *writer) line(line string) {
	if level, heading, ok := headingOf(line); ok {
		w.heading(level, heading)
		return
	}
	if w.skip > 0 {
		return
	}
	line = strings.TrimSpace(strings.TrimLeft(line, "*#:;"))
	if line == "" {
		w.blank = true
		return
	}
	w.startSections()
	if w.text.Len() > 0 && w.blank {
		w.text.WriteByte('\n')
	}
	w.blank = false
	w.text.WriteString(line)
	w.text.WriteByte('\n')
}

// heading ends a section; the new one is written when text follows.
func (w *writer) heading(level int, heading string) {
	w.blank = true
	if w.skip > 0 && level > w.skip {
		return
	}
	w.skip = 0
	if apparatus[strings.ToLower(heading)] {
		w.skip = level
		return
	}
	for len(w.pending) > 0 && w.pending[len(w.pending)-1].Level >= level {
		w.pending = w.pending[:len(w.pending)-1] // it has no text
	}
	w.pending = append(w.pending, Section{Level: level, Heading: heading})
}

// startSections writes the headings above the text that comes.
func (w *writer) startSections() {
	for _, s := range w.pending {
		if w.text.Len() > 0 {
			w.text.WriteByte('\n')
		}
		w.endSection()
		s.At = w.text.Len()
		w.text.WriteString(s.Heading)
		w.text.WriteString("\n")
		s.Start = w.text.Len()
		w.sections = append(w.sections, s)
		w.blank = true
	}
	w.pending = w.pending[:0]
}

func (w *writer) endSection() {
	if n := len(w.sections); n > 0 {
		w.sections[n-1].End = w.text.Len()
	}
}

// trimmed returns the sections without the line breaks at the text's end.
func (w *writer) trimmed() []Section {
	end := len(strings.TrimRight(w.text.String(), "\n"))
	for i := range w.sections {
		w.sections[i].Start, w.sections[i].End = min(w.sections[i].Start, end), min(w.sections[i].End, end)
	}
	return w.sections
}

// headingOf recognises == Heading ==.
func headingOf(line string) (level int, heading string, ok bool) {
	for level < 6 && level < len(line)/2 && line[level] == '=' && line[len(line)-1-level] == '=' {
		level++
	}
	if level < 2 {
		return 0, "", false
	}
	heading = strings.TrimSpace(line[level : len(line)-level])
	return level, heading, heading != ""
}

// strip removes or resolves all markup but headings and the marks of lists.
func strip(source string) string {
	s := stripper{rest: source}
	s.out.Grow(len(source))
	for s.rest != "" {
		s.step()
	}
	return strings.ReplaceAll(html.UnescapeString(s.out.String()), "\u00a0", " ")
}

// stripper walks over wikitext.
type stripper struct {
	rest string
	out  strings.Builder
}

// special are the characters that markup may start with.
const special = "<{[']_"

// step copies text up to the next markup, and deals with that.
func (s *stripper) step() {
	at := strings.IndexAny(s.rest, special)
	if at < 0 {
		at = len(s.rest)
	}
	s.out.WriteString(s.rest[:at])
	s.rest = s.rest[at:]
	switch {
	case s.rest == "":
	case s.rest[0] == '<':
		s.tag()
	case strings.HasPrefix(s.rest, "{{"):
		s.block("{{", "}}", template)
	case strings.HasPrefix(s.rest, "{|"):
		s.block("{|", "|}", func(string) string { return "" })
	case strings.HasPrefix(s.rest, "[["):
		s.block("[[", "]]", link)
	case s.rest[0] == '[':
		s.externalLink()
	case strings.HasPrefix(s.rest, "''"):
		s.rest = strings.TrimLeft(s.rest, "'")
	case strings.HasPrefix(s.rest, "__") && magicWord(s.rest) > 0:
		s.rest = s.rest[magicWord(s.rest):]
	default:
		_, size := utf8.DecodeRuneInString(s.rest)
		s.out.WriteString(s.rest[:size])
		s.rest = s.rest[size:]
	}
}

// block replaces what stands between nested marks. Without its end the mark is dropped.
func (s *stripper) block(open, end string, replace func(inside string) string) {
	length := nested(s.rest, open, end)
	if length < 0 {
		s.rest = s.rest[len(open):]
		return
	}
	s.out.WriteString(replace(s.rest[len(open) : length-len(end)]))
	s.rest = s.rest[length:]
}

// nested returns the length of the block that text starts with, −1 where it does not end.
func nested(text, open, end string) int {
	depth := 0
	for at := 0; at+1 < len(text); {
		switch text[at : at+2] {
		case open:
			depth++
			at += 2
		case end:
			depth--
			at += 2
			if depth == 0 {
				return at
			}
		default:
			at++
		}
	}
	return -1
}

// magicWord is the length of a switch such as __NOTOC__ that text starts with.
func magicWord(text string) int {
	at := 2
	for at < len(text) && text[at] >= 'A' && text[at] <= 'Z' {
		at++
	}
	if at > 2 && strings.HasPrefix(text[at:], "__") {
		return at + 2
	}
	return 0
}
