package prepare

import (
	"crypto/sha256"
	"strings"
	"unicode"
	"unicode/utf8"
)

// unit is what is grouped: a text, and where the corpus has one, the query that it answers.
type unit struct {
	id       string // unique in the corpus, without white space
	name     string // what a person calls it
	document string // the document that it is part of
	folder   string
	pkg      string // import path, or the folder outside a module
	file     string // where it stands
	line     int
	from, to int    // where the text lies in its document's, in bytes; to is 0 where the unit is no part of a text
	text     string // without the query
	whole    string // text with the query, as written; "" where it is the text
	query    string // on one line, without the unit's own name; "" where there is none
	sentence string // the query of a held-out collection; "" where the unit gives none
	usable   bool   // query and text are good enough to train on as a pair
	dropped  bool   // only to be remembered: a duplicate, or with a sentence, what it repeats of an evaluation
}

// key returns what the unit is grouped or held out by.
func (u unit) key(by string) string {
	switch by {
	case ByFolder:
		return u.folder
	case ByPackage:
		return u.pkg
	case ByDocument:
		return u.document
	}
	return ""
}

// plain reduces text to its words, joined by single spaces: punctuation is ignored.
func plain(text string) string {
	return string(appendPlain(make([]byte, 0, len(text)), text))
}

// inWord tells which bytes of ASCII belong to words.
var inWord = func() (table [utf8.RuneSelf]bool) {
	for c := range table {
		r := rune(c)
		table[c] = unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_'
	}
	return table
}()

// appendPlain appends the plain form of text to b, which is empty.
func appendPlain(b []byte, text string) []byte {
	gap := false
	for i := 0; i < len(text); {
		c, size, word := text[i], 1, false
		if c < utf8.RuneSelf {
			word = inWord[c]
		} else {
			var r rune
			r, size = utf8.DecodeRuneInString(text[i:])
			word = unicode.IsLetter(r) || unicode.IsDigit(r)
		}
		if !word {
			gap = len(b) > 0
			i += size
			continue
		}
		if gap {
			b = append(b, ' ')
			gap = false
		}
		b = append(b, text[i:i+size]...)
		i += size
	}
	return b
}

// folded is plain in lower case, for comparing sentences.
func folded(text string) string { return strings.ToLower(plain(text)) }

// digest is a short hash of text.
type digest [16]byte

func digestOf(text string) digest {
	sum := sha256.Sum256([]byte(text))
	return digest(sum[:16])
}

// plainDigest is the digest of a text's plain form; buffer is reused.
func plainDigest(text string, buffer *[]byte) digest {
	*buffer = appendPlain((*buffer)[:0], text)
	sum := sha256.Sum256(*buffer)
	return digest(sum[:16])
}

// duplicates remembers the texts it has seen, punctuation aside.
type duplicates map[digest]struct{}

// seen tells whether the digest came before, and remembers it.
func (d duplicates) seen(hash digest) bool {
	if _, found := d[hash]; found {
		return true
	}
	d[hash] = struct{}{}
	return false
}

// wholeText is the text with its query, as written.
func (u unit) wholeText() string {
	if u.whole != "" {
		return u.whole
	}
	return u.text
}
