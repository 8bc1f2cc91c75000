package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	sugarme "github.com/sugarme/tokenizer/decoder"
)

// modelEntry is the model of the file; its two large parts are kept apart so that each is decoded once.
type modelEntry struct {
	component
	vocab, merges json.RawMessage
}

// readVocab reads the vocabulary; ids must not be negative.
func (c modelEntry) readVocab() (map[string]int32, error) {
	var vocab map[string]int32
	if isNull(c.vocab) {
		return nil, fmt.Errorf("%s: %q is missing", c.where, "vocab")
	}
	if err := readJSON(c.vocab, &vocab); err != nil {
		return nil, fmt.Errorf("%s: vocab: %w", c.where, err)
	}
	for token, id := range vocab {
		if id < 0 {
			return nil, fmt.Errorf("%s: token %q has the negative id %d", c.where, token, id)
		}
	}
	return vocab, nil
}

// readModel builds the model and returns its vocabulary. byteLevel tells that the pre-tokenizers end with ByteLevel.
func readModel(raw json.RawMessage, byteLevel bool) (model, map[string]int32, error) {
	c, err := readModelEntry(raw)
	if err != nil {
		return nil, nil, err
	}
	switch c.kind {
	case "BPE":
		return c.bpe(byteLevel)
	case "WordPiece":
		if byteLevel {
			return nil, nil, fmt.Errorf("%s with pre_tokenizer ByteLevel is not supported", c.where)
		}
		return c.wordPiece()
	}
	return nil, nil, c.unsupported()
}

// readModelEntry reads the type of the model, which old files leave out.
func readModelEntry(raw json.RawMessage) (modelEntry, error) {
	if isNull(raw) {
		return modelEntry{}, fmt.Errorf("model is missing")
	}
	var keys map[string]json.RawMessage
	if err := readJSON(raw, &keys); err != nil {
		return modelEntry{}, fmt.Errorf("model: %w", err)
	}
	entry := modelEntry{vocab: keys["vocab"], merges: keys["merges"]}
	delete(keys, "vocab")
	delete(keys, "merges")
	if _, ok := keys["type"]; !ok {
		if entry.merges != nil {
			keys["type"] = json.RawMessage(`"BPE"`)
		} else if _, ok := keys["continuing_subword_prefix"]; ok {
			keys["type"] = json.RawMessage(`"WordPiece"`)
		}
	}
	rest, err := json.Marshal(keys)
	if err != nil {
		return modelEntry{}, fmt.Errorf("model: %w", err)
	}
	entry.component, _, err = readComponent("model", rest)
	return entry, err
}

func (c modelEntry) wordPiece() (model, map[string]int32, error) {
	var v struct {
		UnkToken string `json:"unk_token"`
		Prefix   string `json:"continuing_subword_prefix"`
		MaxChars int    `json:"max_input_chars_per_word"`
	}
	if err := c.read(&v, "unk_token", "continuing_subword_prefix", "max_input_chars_per_word"); err != nil {
		return nil, nil, err
	}
	vocab, err := c.readVocab()
	if err != nil {
		return nil, nil, err
	}
	m, err := newWordPiece(vocab, v.UnkToken, v.Prefix, v.MaxChars)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", c.where, err)
	}
	return m, vocab, nil
}

func (c modelEntry) bpe(byteLevel bool) (model, map[string]int32, error) {
	var v struct {
		bpeOptions
		Dropout *float64 `json:"dropout"`
		Prefix  string   `json:"continuing_subword_prefix"`
		Suffix  string   `json:"end_of_word_suffix"`
	}
	if err := c.read(&v); err != nil {
		return nil, nil, err
	}
	switch {
	case v.Dropout != nil && *v.Dropout != 0:
		return nil, nil, fmt.Errorf("%s: dropout %g is not supported", c.where, *v.Dropout)
	case v.Prefix != "":
		return nil, nil, fmt.Errorf("%s: continuing_subword_prefix %q is not supported", c.where, v.Prefix)
	case v.Suffix != "":
		return nil, nil, fmt.Errorf("%s: end_of_word_suffix %q is not supported", c.where, v.Suffix)
	}
	vocab, err := c.readVocab()
	if err != nil {
		return nil, nil, err
	}
	merges, err := readMerges(c.merges)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", c.where, err)
	}
	m, err := newBPE(vocab, merges, v.bpeOptions, byteLevel)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", c.where, err)
	}
	return m, vocab, nil
}

// readMerges reads ["a b", …] or, as newer files have it, [["a", "b"], …].
func readMerges(raw json.RawMessage) ([][2]string, error) {
	if isNull(raw) {
		return nil, fmt.Errorf("%q is missing", "merges")
	}
	if inner := bytes.TrimSpace(bytes.TrimPrefix(raw, []byte("["))); len(inner) > 0 && inner[0] == '"' {
		var lines []string
		if err := readJSON(raw, &lines); err != nil {
			return nil, fmt.Errorf("merges: %w", err)
		}
		return splitMerges(lines)
	}
	var pairs [][]string
	if err := readJSON(raw, &pairs); err != nil {
		return nil, fmt.Errorf("merges: %w", err)
	}
	out := make([][2]string, len(pairs))
	for i, pair := range pairs {
		if len(pair) != 2 {
			return nil, fmt.Errorf("merge %d has %d parts, expected 2", i, len(pair))
		}
		out[i] = [2]string{pair[0], pair[1]}
	}
	return out, nil
}

// splitMerges reads the lines of merges.txt.
func splitMerges(lines []string) ([][2]string, error) {
	out := make([][2]string, 0, len(lines))
	for _, line := range lines {
		if strings.HasPrefix(line, "#version") {
			continue
		}
		a, b, ok := strings.Cut(line, " ")
		if !ok || strings.Contains(b, " ") {
			return nil, fmt.Errorf("merge %d is %q, expected two tokens and a blank between them", len(out), line)
		}
		out = append(out, [2]string{a, b})
	}
	return out, nil
}

// readDecoder builds the decoder, nil for none.
func readDecoder(raw json.RawMessage) (decoder, error) {
	c, ok, err := readComponent("decoder", raw)
	if !ok {
		return nil, err
	}
	return c.decoder()
}

func (c component) decoder() (decoder, error) {
	switch c.kind {
	case "ByteLevel":
		return byteLevelDecoder{}, nil
	case "ByteFallback":
		return byteFallbackDecoder{}, nil
	case "Fuse":
		return sugarme.NewFuse(), nil
	case "Replace":
		return c.replacer()
	case "WordPiece":
		var v struct {
			Prefix  string `json:"prefix"`
			Cleanup bool   `json:"cleanup"`
		}
		err := c.read(&v, "prefix", "cleanup")
		return sugarme.NewWordPieceDecoder(v.Prefix, v.Cleanup), err
	case "BPEDecoder":
		var v struct {
			Suffix string `json:"suffix"`
		}
		err := c.read(&v, "suffix")
		return sugarme.NewBpeDecoder(v.Suffix), err
	case "Strip":
		var v struct {
			Content string `json:"content"`
			Start   int    `json:"start"`
			Stop    int    `json:"stop"`
		}
		err := c.read(&v, "content", "start", "stop")
		if err == nil && utf8.RuneCountInString(v.Content) != 1 {
			err = fmt.Errorf("%s: content %q is not one character", c.where, v.Content)
		}
		return stripDecoder{v.Content, v.Start, v.Stop}, err
	case "Metaspace":
		v, err := c.metaspaceEntry()
		return metaspaceDecoder{v.Replacement, v.Scheme == "never"}, err
	case "Sequence":
		return c.decoders()
	}
	return nil, c.unsupported()
}

func (c component) decoders() (decoder, error) {
	items, err := c.list("decoders")
	if err != nil {
		return nil, err
	}
	var steps decoders
	for _, item := range items {
		step, err := item.decoder()
		if err != nil {
			return nil, err
		}
		steps = append(steps, step)
	}
	return steps, nil
}
