package prepare

import (
	"strings"
	"unicode"
)

// maxSharedLines is the share of a training text's lines that may stand in the held-out texts.
const maxSharedLines = 0.6

// guard knows what is evaluated, so that training does not see it.
type guard struct {
	lines   map[digest]struct{} // of all evaluated texts
	queries map[string]struct{} // folded
}

func newGuard(collections ...*collection) *guard {
	g := &guard{lines: map[digest]struct{}{}, queries: map[string]struct{}{}}
	for _, c := range collections {
		for _, u := range c.units {
			for _, line := range contentLines(u.text) {
				g.lines[digestOf(line)] = struct{}{}
			}
		}
		for _, q := range c.queries {
			g.queries[folded(q.sentence)] = struct{}{}
		}
	}
	return g
}

// copies tells whether more than 60 % of the text's lines stand in evaluated texts.
func (g *guard) copies(text string) bool {
	shared, lines := 0, contentLines(text)
	for _, line := range lines {
		if _, found := g.lines[digestOf(line)]; found {
			shared++
		}
	}
	return float64(shared) > maxSharedLines*float64(len(lines))
}

// asksQuery tells whether a training query, whole or in its first sentence, is a query of a collection.
func (g *guard) asksQuery(u unit) bool {
	for _, text := range []string{u.query, u.sentence} {
		if _, found := g.queries[folded(text)]; found && text != "" {
			return true
		}
	}
	return false
}

// contentLines returns the lines that hold a letter or digit, without the white space around them.
func contentLines(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.ContainsFunc(line, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
			lines = append(lines, line)
		}
	}
	return lines
}

// finder finds which of many sentences occur in texts as runs of words: each is looked up by its first words.
type finder struct {
	words  int
	starts map[string][]string // first words → folded sentences
}

// newFinder takes folded sentences of at least the given number of words.
func newFinder(words int, sentences []string) *finder {
	f := &finder{words: words, starts: map[string][]string{}}
	for _, s := range sentences {
		start := s[:wordsEnd(s, words)]
		f.starts[start] = append(f.starts[start], s)
	}
	return f
}

// find calls found for every sentence that the text holds.
func (f *finder) find(text string, found func(sentence string)) { f.findFolded(folded(text), found) }

// findFolded is find for a text that is folded.
func (f *finder) findFolded(text string, found func(sentence string)) {
	for at := 0; at < len(text); {
		rest := text[at:]
		for _, s := range f.starts[rest[:wordsEnd(rest, f.words)]] {
			if strings.HasPrefix(rest, s) && (len(rest) == len(s) || rest[len(s)] == ' ') {
				found(s)
			}
		}
		next := strings.IndexByte(rest, ' ')
		if next < 0 {
			return
		}
		at += next + 1
	}
}

// wordsEnd is where the first n words of a plain text end.
func wordsEnd(text string, n int) int {
	end := 0
	for ; n > 0; n-- {
		space := strings.IndexByte(text[min(end+1, len(text)):], ' ')
		if space < 0 {
			return len(text)
		}
		end += 1 + space
	}
	return end
}
