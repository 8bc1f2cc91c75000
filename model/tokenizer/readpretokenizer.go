package tokenizer

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// readPreTokenizers builds the pre-tokenizers in order.
func readPreTokenizers(raw json.RawMessage) ([]preTokenizer, error) {
	c, ok, err := readComponent("pre_tokenizer", raw)
	if !ok {
		return nil, err
	}
	steps, err := c.preTokenizers()
	if err != nil {
		return nil, err
	}
	for _, step := range steps[:max(len(steps)-1, 0)] {
		if _, ok := step.(byteLevel); ok {
			return nil, fmt.Errorf("%s: ByteLevel before another pre-tokenizer is not supported", c.where)
		}
	}
	return steps, nil
}

func (c component) preTokenizers() ([]preTokenizer, error) {
	if c.kind != "Sequence" {
		step, err := c.preTokenizer()
		return []preTokenizer{step}, err
	}
	items, err := c.list("pretokenizers")
	if err != nil {
		return nil, err
	}
	var steps []preTokenizer
	for _, item := range items {
		inner, err := item.preTokenizers()
		if err != nil {
			return nil, err
		}
		steps = append(steps, inner...)
	}
	return steps, nil
}

func (c component) preTokenizer() (preTokenizer, error) {
	switch c.kind {
	case "ByteLevel":
		return c.byteLevel()
	case "BertPreTokenizer":
		return bertSplit{}, nil
	case "Whitespace":
		return wordSplit{}, nil
	case "WhitespaceSplit":
		return classSplit{space, false}, nil
	case "Digits":
		return c.digits()
	case "Punctuation":
		v := struct {
			Behavior string `json:"behavior"`
		}{"Isolated"}
		if err := c.read(&v); err != nil {
			return nil, err
		}
		return c.delimiterSplit(classDelimiter(punctuation), v.Behavior, false)
	case "Metaspace":
		return c.metaspace()
	case "Split":
		return c.split()
	}
	return nil, c.unsupported()
}

func (c component) byteLevel() (preTokenizer, error) {
	v := struct {
		AddPrefixSpace bool `json:"add_prefix_space"`
		UseRegex       bool `json:"use_regex"`
	}{UseRegex: true}
	err := c.read(&v, "add_prefix_space", "trim_offsets")
	return byteLevel{v.AddPrefixSpace, v.UseRegex}, err
}

func (c component) digits() (preTokenizer, error) {
	var v struct {
		Individual bool `json:"individual_digits"`
	}
	if err := c.read(&v, "individual_digits"); err != nil {
		return nil, err
	}
	if v.Individual {
		return classSplit{numeric, true}, nil
	}
	return delimiterSplit{classDelimiter(numeric), "Contiguous", false}, nil
}

func (c component) split() (preTokenizer, error) {
	var v struct {
		Pattern  pattern `json:"pattern"`
		Behavior string  `json:"behavior"`
		Invert   bool    `json:"invert"`
	}
	if err := c.read(&v, "pattern", "behavior", "invert"); err != nil {
		return nil, err
	}
	if v.Pattern.String != nil {
		if *v.Pattern.String == "" {
			return nil, fmt.Errorf("%s: pattern is empty", c.where)
		}
		return c.delimiterSplit(textDelimiter(*v.Pattern.String), v.Behavior, v.Invert)
	}
	if v.Pattern.Regex == nil {
		return nil, fmt.Errorf("%s: pattern is neither String nor Regex", c.where)
	}
	scan, ok := scanners[*v.Pattern.Regex]
	if !ok {
		return nil, fmt.Errorf("%s: pattern Regex %q is not supported", c.where, *v.Pattern.Regex)
	}
	// The patterns match all of a text: to isolate the matches or to remove what is between them is the same.
	if v.Behavior != "Isolated" && !(v.Behavior == "Removed" && v.Invert) {
		return nil, fmt.Errorf("%s: behavior %q with invert %t is not supported", c.where, v.Behavior, v.Invert)
	}
	return scanSplit{scan}, nil
}

func (c component) delimiterSplit(d delimiter, behavior string, invert bool) (preTokenizer, error) {
	if _, ok := behaviors[behavior]; !ok {
		return nil, fmt.Errorf("%s: behavior %q is unknown", c.where, behavior)
	}
	if cl, ok := d.(classDelimiter); ok && !invert && (behavior == "Isolated" || behavior == "Removed") {
		return classSplit{class(cl), behavior == "Isolated"}, nil
	}
	return delimiterSplit{d, behavior, invert}, nil
}

// metaspaceEntry is Metaspace, a pre-tokenizer and a decoder.
type metaspaceEntry struct {
	Replacement    string `json:"replacement"`
	AddPrefixSpace *bool  `json:"add_prefix_space"` // older files
	Scheme         string `json:"prepend_scheme"`
	Split          *bool  `json:"split"` // null: true
}

func (c component) metaspaceEntry() (metaspaceEntry, error) {
	v := metaspaceEntry{Scheme: "always"}
	if err := c.read(&v, "replacement"); err != nil {
		return v, err
	}
	if utf8.RuneCountInString(v.Replacement) != 1 {
		return v, fmt.Errorf("%s: replacement %q is not one character", c.where, v.Replacement)
	}
	switch v.Scheme {
	case "always", "first", "never":
	default:
		return v, fmt.Errorf("%s: prepend_scheme %q is unknown", c.where, v.Scheme)
	}
	if v.AddPrefixSpace != nil && !*v.AddPrefixSpace && v.Scheme != "never" {
		return v, fmt.Errorf("%s: add_prefix_space false contradicts prepend_scheme %q", c.where, v.Scheme)
	}
	return v, nil
}

func (c component) metaspace() (preTokenizer, error) {
	v, err := c.metaspaceEntry()
	return metaspace{v.Replacement, v.Scheme, v.Split == nil || *v.Split}, err
}
