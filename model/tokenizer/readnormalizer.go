package tokenizer

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

var unicodeForms = map[string]norm.Form{"NFC": norm.NFC, "NFD": norm.NFD, "NFKC": norm.NFKC, "NFKD": norm.NFKD}

// readNormalizer builds the normalizer, nil for none.
func readNormalizer(raw json.RawMessage) (normalizer, error) {
	c, ok, err := readComponent("normalizer", raw)
	if !ok {
		return nil, err
	}
	return c.normalizer()
}

func (c component) normalizer() (normalizer, error) {
	if form, ok := unicodeForms[c.kind]; ok {
		return unicodeForm{form}, nil
	}
	switch c.kind {
	case "Sequence":
		return c.normalizers()
	case "BertNormalizer":
		return c.bertNormalizer()
	case "Lowercase":
		return lowercaseNormalizer{}, nil
	case "StripAccents":
		return accentStripper{}, nil
	case "Strip":
		var v struct {
			Left  bool `json:"strip_left"`
			Right bool `json:"strip_right"`
		}
		err := c.read(&v, "strip_left", "strip_right")
		return stripper{v.Left, v.Right}, err
	case "Prepend":
		var v struct {
			Prepend string `json:"prepend"`
		}
		err := c.read(&v, "prepend")
		return prepender{v.Prepend}, err
	case "Replace":
		return c.replacer()
	}
	return nil, c.unsupported()
}

func (c component) normalizers() (normalizer, error) {
	items, err := c.list("normalizers")
	if err != nil {
		return nil, err
	}
	var steps normalizers
	for _, item := range items {
		step, err := item.normalizer()
		if err != nil {
			return nil, err
		}
		steps = append(steps, step)
	}
	return steps, nil
}

func (c component) bertNormalizer() (normalizer, error) {
	var v struct {
		CleanText    bool  `json:"clean_text"`
		ChineseChars bool  `json:"handle_chinese_chars"`
		StripAccents *bool `json:"strip_accents"` // null: as lowercase
		Lowercase    bool  `json:"lowercase"`
	}
	err := c.read(&v, "clean_text", "handle_chinese_chars", "lowercase")
	strip := v.Lowercase
	if v.StripAccents != nil {
		strip = *v.StripAccents
	}
	return bertNormalizer{v.CleanText, v.ChineseChars, strip, v.Lowercase}, err
}

// replacer reads Replace, a normalizer and a decoder. Only string patterns are known.
func (c component) replacer() (replacer, error) {
	var v struct {
		Pattern pattern `json:"pattern"`
		Content string  `json:"content"`
	}
	if err := c.read(&v, "pattern", "content"); err != nil {
		return replacer{}, err
	}
	if v.Pattern.Regex != nil {
		return replacer{}, fmt.Errorf("%s: pattern Regex %q is not supported", c.where, *v.Pattern.Regex)
	}
	if v.Pattern.String == nil || *v.Pattern.String == "" {
		return replacer{}, fmt.Errorf("%s: pattern is empty", c.where)
	}
	return replacer{*v.Pattern.String, v.Content}, nil
}

// movesStart tells whether a normalizer may remove the beginning of a text, which prepend_scheme "first" of Metaspace
// would have to know.
func movesStart(n normalizer) bool {
	switch n := n.(type) {
	case normalizers:
		for _, step := range n {
			if movesStart(step) {
				return true
			}
		}
	case stripper, accentStripper, bertNormalizer:
		return true
	case replacer:
		return n.new == "" || utf8.RuneCountInString(n.old) > 1
	}
	return false
}
