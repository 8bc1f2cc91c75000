package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// normalizer rewrites a section of text (HF: tokenizers.normalizers).
type normalizer interface {
	normalize(s string) string
}

// normalizers is Sequence: one after the other.
type normalizers []normalizer

func (n normalizers) normalize(s string) string {
	for _, step := range n {
		s = step.normalize(s)
	}
	return s
}

// lowercaseNormalizer is Lowercase: every code point by itself, so a final sigma is not special.
type lowercaseNormalizer struct{}

func (lowercaseNormalizer) normalize(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for _, r := range s {
		writeLower(&b, r)
	}
	return b.String()
}

func writeLower(b *strings.Builder, r rune) {
	if r == 'İ' {
		b.WriteString("i\u0307")
		return
	}
	b.WriteRune(lower(r))
}

// accentStripper is StripAccents: combining marks are removed, nothing is decomposed.
type accentStripper struct{}

func (accentStripper) normalize(s string) string {
	if isASCII(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if classOf(r)&combining != 0 {
			return -1
		}
		return r
	}, s)
}

// stripper is Strip: white space is removed at the ends.
type stripper struct{ left, right bool }

func (n stripper) normalize(s string) string {
	isSpace := func(r rune) bool { return classOf(r)&space != 0 }
	if n.left {
		s = strings.TrimLeftFunc(s, isSpace)
	}
	if n.right {
		s = strings.TrimRightFunc(s, isSpace)
	}
	return s
}

// prepender is Prepend: text that is not empty gets a prefix.
type prepender struct{ prefix string }

func (n prepender) normalize(s string) string {
	if s == "" {
		return s
	}
	return n.prefix + s
}

// replacer is Replace with a string pattern, as a normalizer and as a decoder.
type replacer struct{ old, new string }

func (n replacer) normalize(s string) string {
	return strings.ReplaceAll(s, n.old, n.new)
}

// bertNormalizer is BertNormalizer: clean text, blanks around Chinese characters, accents stripped, lower case.
type bertNormalizer struct {
	cleanText, chinese, stripAccents, lowercase bool
}

func (n bertNormalizer) normalize(s string) string {
	if isASCII(s) {
		return n.normalizeASCII(s)
	}
	if n.cleanText || n.chinese {
		s = n.clean(s)
	}
	if n.stripAccents {
		s = nfd.normalize(s)
	}
	if !n.stripAccents && !n.lowercase {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for _, r := range s {
		switch {
		case n.stripAccents && r >= utf8.RuneSelf && classOf(r)&nonspacing != 0:
		case n.lowercase:
			writeLower(&b, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func (n bertNormalizer) normalizeASCII(s string) string {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if n.cleanText {
			if class := classPages[0][c]; class&control != 0 {
				continue
			} else if class&blank != 0 {
				c = ' '
			}
		}
		if n.lowercase && 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		out = append(out, c)
	}
	return string(out)
}

// clean removes control characters, maps white space to U+0020 and sets blanks around Chinese characters.
func (n bertNormalizer) clean(s string) string {
	var b strings.Builder
	b.Grow(len(s) + len(s)/4)
	for _, r := range s {
		class := classOf(r)
		switch {
		case n.cleanText && class&control != 0:
		case n.cleanText && class&blank != 0:
			b.WriteByte(' ')
		case n.chinese && isChinese(r):
			b.WriteByte(' ')
			b.WriteRune(r)
			b.WriteByte(' ')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// isChinese are the CJK ideograph blocks of BERT's reference code.
func isChinese(r rune) bool {
	switch {
	case r < 0x3400:
		return false
	case r <= 0x4DBF, 0x4E00 <= r && r <= 0x9FFF, 0xF900 <= r && r <= 0xFAFF:
		return true
	}
	return 0x20000 <= r && r <= 0x2A6DF || 0x2A700 <= r && r <= 0x2B73F || 0x2B740 <= r && r <= 0x2B81F ||
		0x2B920 <= r && r <= 0x2CEAF || 0x2F800 <= r && r <= 0x2FA1F
}
