package prepare

import (
	"crypto/sha256"
	"strings"
	"unicode"
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
	var b strings.Builder
	b.Grow(len(text))
	gap := false
	for _, r := range text {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' {
			gap = b.Len() > 0
			continue
		}
		if gap {
			b.WriteByte(' ')
			gap = false
		}
		b.WriteRune(r)
	}
	return b.String()
}

// folded is plain in lower case, for comparing sentences.
func folded(text string) string { return strings.ToLower(plain(text)) }

// digest is a short hash of text.
type digest [16]byte

func digestOf(text string) digest {
	sum := sha256.Sum256([]byte(text))
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
