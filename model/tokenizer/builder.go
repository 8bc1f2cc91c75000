package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// object is a JSON object written by hand.
type object map[string]any

// builder holds the parts of a tokenizer.json that is made of another format.
type builder struct {
	AddedTokens                                             []addedToken
	Normalizer, PreTokenizer, PostProcessor, Decoder, Model any
}

func (b builder) json() ([]byte, error) {
	if b.AddedTokens == nil {
		b.AddedTokens = []addedToken{}
	}
	parts := make([]json.RawMessage, 6)
	for i, part := range []any{b.AddedTokens, b.Normalizer, b.PreTokenizer, b.PostProcessor, b.Decoder, b.Model} {
		data, err := marshal(part)
		if err != nil {
			return nil, err
		}
		parts[i] = data
	}
	return tokenizerFile{"1.0", parts[0], parts[1], parts[2], parts[3], parts[4], parts[5]}.json(), nil
}

// json writes the file in HF's order of keys. Truncation and padding are null: they are no part of a model.
func (f tokenizerFile) json() []byte {
	var b bytes.Buffer
	b.WriteString("{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null")
	for _, part := range []struct {
		key string
		raw json.RawMessage
	}{
		{"added_tokens", f.AddedTokens}, {"normalizer", f.Normalizer}, {"pre_tokenizer", f.PreTokenizer},
		{"post_processor", f.PostProcessor}, {"decoder", f.Decoder}, {"model", f.Model},
	} {
		fmt.Fprintf(&b, ",\n  %q: ", part.key)
		if isNull(part.raw) {
			b.WriteString("null")
		} else {
			b.Write(part.raw)
		}
	}
	b.WriteString("\n}\n")
	return b.Bytes()
}

// marshal is json.Marshal without the escapes for HTML.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

type vocabEntry struct {
	token string
	id    int32
}

// orderedVocab is a vocabulary that is written in the order of its entries.
type orderedVocab []vocabEntry

func sortVocab(vocab map[string]int32) orderedVocab {
	out := make(orderedVocab, 0, len(vocab))
	for token, id := range vocab {
		out = append(out, vocabEntry{token, id})
	}
	slices.SortFunc(out, func(a, b vocabEntry) int { return int(a.id) - int(b.id) })
	return out
}

// MarshalJSON writes an object of token and id.
func (v orderedVocab) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, entry := range v {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := marshal(entry.token)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%s:%d", key, entry.id)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// specialID is a special token with its id.
type specialID struct {
	token string
	id    int32
}

// newTemplate is the TemplateProcessing that sets prefix and suffix around each text (HF: update_post_processor).
func newTemplate(prefix, suffix []specialID) *template {
	t := &template{Type: "TemplateProcessing", SpecialTokens: map[string]templateToken{}}
	for typeID, sequence := range []string{"A", "B"} {
		for _, s := range prefix {
			t.Pair = append(t.Pair, t.piece(s, typeID))
		}
		t.Pair = append(t.Pair, templatePiece{Sequence: &templateID{sequence, typeID}})
		for _, s := range suffix {
			t.Pair = append(t.Pair, t.piece(s, typeID))
		}
		if sequence == "A" {
			t.Single = slices.Clone(t.Pair)
		}
	}
	return t
}

func (t *template) piece(s specialID, typeID int) templatePiece {
	t.SpecialTokens[s.token] = templateToken{s.token, []int32{s.id}, []string{s.token}}
	return templatePiece{SpecialToken: &templateID{s.token, typeID}}
}

// bertPair takes a prefix of n tokens away from the second text of a pair: [CLS] A [SEP] B [SEP].
func (t *template) bertPair(n int) *template {
	first := len(t.Single)
	t.Pair = slices.Concat(t.Pair[:first], t.Pair[first+n:])
	return t
}

// byteLevelBuilder is a byte-level BPE of a family: gpt-2, smollm, llama-bpe or qwen2.
func byteLevelBuilder(family string, vocab orderedVocab, merges [][2]string) builder {
	byteLevelEntry := func(regex bool) object {
		return object{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": regex}
	}
	splitBy := func(pattern string) object {
		return object{"type": "Split", "pattern": object{"Regex": pattern}, "behavior": "Isolated", "invert": false}
	}
	sequence := func(steps ...object) object { return object{"type": "Sequence", "pretokenizers": steps} }
	b := builder{
		PreTokenizer:  byteLevelEntry(true),
		PostProcessor: object{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true},
		Decoder:       object{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
		Model: object{
			"type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": nil,
			"end_of_word_suffix": nil, "fuse_unk": false, "byte_fallback": false,
			"ignore_merges": family == "llama-bpe", "vocab": vocab, "merges": merges,
		},
	}
	switch family {
	case "smollm":
		b.PreTokenizer = sequence(object{"type": "Digits", "individual_digits": true}, byteLevelEntry(true))
	case "llama-bpe":
		b.PreTokenizer = sequence(splitBy(llama3Pattern), byteLevelEntry(false))
	case "qwen2":
		b.Normalizer = object{"type": "NFC"}
		b.PreTokenizer = sequence(splitBy(qwen2Pattern), byteLevelEntry(false))
	}
	return b
}
