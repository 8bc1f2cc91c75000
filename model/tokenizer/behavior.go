package tokenizer

import "strings"

// match is a part of a text that is, or is not, an occurrence of a delimiter.
type match struct {
	start, end int
	found      bool
}

// delimiter cuts a text into its occurrences and what lies between them.
type delimiter interface {
	matches(s string) []match
}

// classDelimiter matches single code points of a class.
type classDelimiter class

func (d classDelimiter) matches(s string) []match {
	var out []match
	for i := 0; i < len(s); {
		c, width := classAt(s, i)
		end, found := i+width, c&class(d) != 0
		if !found {
			end = span(s, end, class(d), 0)
		}
		out = append(out, match{i, end, found})
		i = end
	}
	return out
}

// textDelimiter matches a string that is not empty.
type textDelimiter string

func (d textDelimiter) matches(s string) []match {
	var out []match
	for i := 0; i < len(s); {
		n := strings.Index(s[i:], string(d))
		if n < 0 {
			return append(out, match{i, len(s), false})
		}
		if n > 0 {
			out = append(out, match{i, i + n, false})
		}
		out = append(out, match{i + n, i + n + len(d), true})
		i += n + len(d)
	}
	return out
}

// delimiterSplit is Digits, Punctuation, WhitespaceSplit and Split with a string: a delimiter and what becomes of it
// (HF: SplitDelimiterBehavior).
type delimiterSplit struct {
	delimiter delimiter
	behavior  string
	invert    bool
}

// behaviors are the values of SplitDelimiterBehavior.
var behaviors = map[string]func([]match) []match{
	"Removed":            func(m []match) []match { return m },
	"Isolated":           keepAll,
	"Contiguous":         contiguous,
	"MergedWithPrevious": mergedWithPrevious,
	"MergedWithNext":     mergedWithNext,
}

func (x delimiterSplit) split(dst []piece, p piece) []piece {
	found := x.delimiter.matches(p.text)
	if x.invert {
		for i := range found {
			found[i].found = !found[i].found
		}
	}
	for _, m := range behaviors[x.behavior](found) {
		if !m.found && m.start < m.end {
			dst = append(dst, piece{p.text[m.start:m.end], p.start && m.start == 0})
		}
	}
	return dst
}

func keepAll(matches []match) []match {
	for i := range matches {
		matches[i].found = false
	}
	return matches
}

// contiguous joins occurrences that follow each other.
func contiguous(matches []match) []match {
	var out []match
	before := false
	for _, m := range matches {
		if m.found == before && len(out) > 0 {
			out[len(out)-1].end = m.end
		} else {
			out = append(out, match{m.start, m.end, false})
		}
		before = m.found
	}
	return out
}

// mergedWithPrevious joins an occurrence to what is before it; the second of two that touch stands alone.
func mergedWithPrevious(matches []match) []match {
	var out []match
	before := false
	for _, m := range matches {
		if m.found && !before && len(out) > 0 {
			out[len(out)-1].end = m.end
		} else {
			out = append(out, match{m.start, m.end, false})
		}
		before = m.found
	}
	return out
}

// mergedWithNext joins an occurrence to what is after it; the first of two that touch stands alone.
func mergedWithNext(matches []match) []match {
	var out []match // from the end
	after := false
	for i := len(matches) - 1; i >= 0; i-- {
		m := matches[i]
		if m.found && !after && len(out) > 0 {
			out[len(out)-1].start = m.start
		} else {
			out = append(out, match{m.start, m.end, false})
		}
		after = m.found
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

// classSplit is delimiterSplit for a class with behavior Isolated (keep) or Removed, without its intermediate list.
type classSplit struct {
	class class
	keep  bool
}

func (x classSplit) split(dst []piece, p piece) []piece {
	s := p.text
	for i := 0; i < len(s); {
		c, width := classAt(s, i)
		end, found := i+width, c&x.class != 0
		if !found {
			end = span(s, end, x.class, 0)
		}
		if !found || x.keep {
			dst = append(dst, piece{s[i:end], p.start && i == 0})
		}
		i = end
	}
	return dst
}
