package tokenizer

import (
	_ "embed"
	"encoding/binary"
	"unicode/utf8"
)

// class is a set of character properties as HuggingFace tokenizers sees them. The library mixes the Unicode
// versions of several Rust crates, so the tables are probed from it (testdata/make_unicode.py), not Go's.
type class uint16

const (
	letter      class = 1 << iota // \p{L} of Oniguruma (Split, ByteLevel)
	number                        // \p{N} of Oniguruma
	space                         // White_Space: \s everywhere, char::is_whitespace
	punctuation                   // Punctuation and BertPreTokenizer
	numeric                       // char::is_numeric (Digits)
	word                          // \w of Rust's regex (Whitespace, single_word)
	control                       // removed by BertNormalizer's clean_text
	blank                         // turned into U+0020 by BertNormalizer's clean_text
	nonspacing                    // Mn, removed by BertNormalizer's strip_accents
	combining                     // M, removed by StripAccents
	unknown                       // newer than the normalizer's tables: copied, nothing is reordered across it
)

//go:embed unicode.bin
var unicodeData []byte

// classPages holds the classes of U+0000 to U+10FFFF in pages of 256; lowercase the one-to-one lower case pairs.
var classPages, lowercase = readUnicode(unicodeData)

// classOf returns the classes of a code point.
func classOf(r rune) class {
	return classPages[uint32(r)>>8&0x1fff][uint8(r)]
}

// lower is char::to_lowercase but for U+0130, whose lower case has two code points.
func lower(r rune) rune {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}
	if l, ok := lowercase[r]; ok {
		return l
	}
	return r
}

// readUnicode decodes unicode.bin; pages of one class alone are shared.
func readUnicode(data []byte) (pages [0x2000]*[256]class, low map[rune]rune) {
	next := func() int {
		v, n := binary.Uvarint(data)
		data = data[n:]
		return int(v)
	}
	uniform := map[class]*[256]class{}
	for r := 0; r < 0x110000; {
		end, c := r, class(0)
		end += next()
		c = class(next())
		for r < end {
			if r&0xff == 0 && end-r >= 256 {
				pages[r>>8] = uniformPage(uniform, c)
				r += 256
				continue
			}
			if pages[r>>8] == nil {
				pages[r>>8] = new([256]class)
			}
			pages[r>>8][r&0xff] = c
			r++
		}
	}
	for i := range pages {
		if pages[i] == nil {
			pages[i] = uniformPage(uniform, 0)
		}
	}
	low = make(map[rune]rune)
	r := 0
	for n := next(); n > 0; n-- {
		r += next()
		delta, width := binary.Varint(data)
		data = data[width:]
		low[rune(r)] = rune(r + int(delta))
	}
	return pages, low
}

func uniformPage(pages map[class]*[256]class, c class) *[256]class {
	if pages[c] == nil {
		page := new([256]class)
		for i := range page {
			page[i] = c
		}
		pages[c] = page
	}
	return pages[c]
}

// span returns the end of the longest run from i of code points whose classes under mask equal want.
func span(s string, i int, mask, want class) int {
	for i < len(s) {
		if c := s[i]; c < utf8.RuneSelf {
			if classPages[0][c]&mask != want {
				return i
			}
			i++
			continue
		}
		r, width := utf8.DecodeRuneInString(s[i:])
		if classOf(r)&mask != want {
			return i
		}
		i += width
	}
	return i
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// lastWidth is the length of the last code point of s, lastClass its classes; s is not empty.
func lastWidth(s string) int {
	_, width := utf8.DecodeLastRuneInString(s)
	return width
}

func lastClass(s string) class {
	r, _ := utf8.DecodeLastRuneInString(s)
	return classOf(r)
}
