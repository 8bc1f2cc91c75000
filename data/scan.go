package data

import (
	"bytes"
	"regexp"
	"unicode/utf8"
)

// isGroup tells, ten times as fast as parseGroup, whether a line is a good group of one of the three shapes.
// It is never wrong when it says yes; where it says no, parseGroup decides and explains.
func isGroup(line []byte) bool {
	if !utf8.Valid(line) {
		return false
	}
	s := scanner{rest: line}
	switch s.peek() {
	case '[':
		return s.texts() >= 2 && s.peek() == 0
	case '{':
		return s.object() && s.peek() == 0
	}
	return false
}

// scanner walks over JSON without decoding it.
type scanner struct{ rest []byte }

// peek skips white space and returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	for i, c := range s.rest {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			s.rest = s.rest[i:]
			return c
		}
	}
	s.rest = nil
	return 0
}

// take skips white space and the byte c; it tells whether c was there.
func (s *scanner) take(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

// object walks over {"src": text, "query": texts, "text": texts, …}, each key at most once.
func (s *scanner) object() bool {
	seen := map[string]bool{}
	for ok := s.take('{'); ok; ok = s.take(',') {
		key, isText := s.text()
		if !isText || seen[string(key)] || !s.take(':') {
			return false
		}
		seen[string(key)] = true
		switch string(key) {
		case "src":
			_, ok = s.text()
		case "query":
			ok = s.texts() >= 1
		case "text":
			ok = s.texts() >= 2
		default:
			ok = !bytes.ContainsRune(key, '\\') && s.value(0)
		}
		if !ok {
			return false
		}
	}
	return seen["text"] && s.take('}')
}

// texts walks over a list of texts that are not empty and returns their number, −1 where it is something else.
func (s *scanner) texts() int {
	n := 0
	for ok := s.take('['); ok; ok = s.take(',') {
		if text, isText := s.text(); !isText || len(text) == 0 {
			return -1
		}
		n++
	}
	if !s.take(']') {
		return -1
	}
	return n
}

// maxDepth is how deep values that are passed over may be nested.
const maxDepth = 100

// value walks over any value.
func (s *scanner) value(depth int) bool {
	if depth > maxDepth {
		return false
	}
	switch s.peek() {
	case '"':
		_, ok := s.text()
		return ok
	case '[':
		return s.items('[', ']', func() bool { return s.value(depth + 1) })
	case '{':
		return s.items('{', '}', func() bool {
			_, ok := s.text()
			return ok && s.take(':') && s.value(depth+1)
		})
	}
	length := len(scalar.Find(s.rest))
	s.rest = s.rest[length:]
	return length > 0
}

// items walks over a list or an object.
func (s *scanner) items(open, end byte, item func() bool) bool {
	s.take(open)
	if s.take(end) {
		return true
	}
	for ok := true; ok; ok = s.take(',') {
		if !item() {
			return false
		}
	}
	return s.take(end)
}

// scalar is a number, a truth value or null.
var scalar = regexp.MustCompile(`^(?:-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null)`)

// text walks over a text and returns it as it stands between the quotation marks.
func (s *scanner) text() (text []byte, ok bool) {
	if !s.take('"') {
		return nil, false
	}
	for i := 0; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case c == '"':
			text, s.rest = s.rest[:i], s.rest[i+1:]
			return text, true
		case c < ' ':
			return nil, false
		case c == '\\':
			length := escapeLength(s.rest[i:])
			if length == 0 {
				return nil, false
			}
			i += length - 1
		}
	}
	return nil, false
}

// escapeLength is the length of the escape sequence that b starts with, 0 where it is none.
func escapeLength(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(b) < 6 {
			return 0
		}
		for _, c := range b[2:6] {
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
				return 0
			}
		}
		return 6
	}
	return 0
}
