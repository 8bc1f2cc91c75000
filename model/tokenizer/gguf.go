package tokenizer

import (
	"cmp"
	"fmt"
	"slices"
	"unicode/utf8"
)

// GGUFVocab is the vocabulary in the header of a GGUF file (tokenizer.ggml.*).
type GGUFVocab struct {
	Tokens             []string
	Merges             []string  // "a b", byte-level BPE
	Types              []int32   // token_type: 3 control, 4 user defined; may be empty
	Scores             []float32 // SentencePiece
	Model, Pre         string    // "gpt2" with a split pattern's name, or "llama" (SentencePiece BPE)
	BOS, EOS, PAD, UNK int       // ids, -1 for none
	AddBOS, AddEOS     bool
}

const (
	ggufControl     = 3
	ggufUserDefined = 4
)

// ggufFamilies maps llama.cpp's names of split patterns to those of byteLevelBuilder.
var ggufFamilies = map[string]string{
	"gpt-2": "gpt-2", "smollm": "smollm",
	"llama-bpe": "llama-bpe", "llama3": "llama-bpe", "llama-v3": "llama-bpe",
	"qwen2": "qwen2", "deepseek-r1-qwen": "qwen2",
}

// FromGGUF builds the tokenizer of a GGUF file as tokenizer.json and loads it, so that Files can write it.
func FromGGUF(v GGUFVocab) (*Tokenizer, error) {
	t, err := v.build()
	if err != nil {
		return nil, fmt.Errorf("build tokenizer of GGUF: %w", err)
	}
	return t, nil
}

func (v GGUFVocab) build() (*Tokenizer, error) {
	if err := v.check(); err != nil {
		return nil, err
	}
	b, err := v.builder()
	if err != nil {
		return nil, err
	}
	b.AddedTokens = v.addedTokens()
	var prefix, suffix []specialID
	if v.AddBOS && v.BOS >= 0 {
		prefix = []specialID{{v.Tokens[v.BOS], int32(v.BOS)}}
	}
	if v.AddEOS && v.EOS >= 0 {
		suffix = []specialID{{v.Tokens[v.EOS], int32(v.EOS)}}
	}
	if prefix != nil || suffix != nil {
		b.PostProcessor = newTemplate(prefix, suffix)
	}
	data, err := b.json()
	if err != nil {
		return nil, err
	}
	config, err := marshal(v.config())
	if err != nil {
		return nil, err
	}
	return parse(sources{name: "tokenizer.ggml", tokenizer: data, config: config})
}

// check refuses headers whose parts do not fit each other.
func (v GGUFVocab) check() error {
	if len(v.Tokens) == 0 {
		return fmt.Errorf("tokenizer.ggml.tokens is empty")
	}
	for key, n := range map[string]int{"token_type": len(v.Types), "scores": len(v.Scores)} {
		if n != 0 && n != len(v.Tokens) {
			return fmt.Errorf("tokenizer.ggml.%s has %d entries, expected %d, one a token", key, n, len(v.Tokens))
		}
	}
	for _, special := range v.specials() {
		if special.id >= len(v.Tokens) {
			return fmt.Errorf("%s is id %d, but there are %d tokens", special.key, special.id, len(v.Tokens))
		}
	}
	for id, token := range v.Tokens {
		if !utf8.ValidString(token) {
			return fmt.Errorf("token %d (%q) is not valid UTF-8", id, token)
		}
	}
	return nil
}

type ggufSpecial struct {
	key string
	id  int
}

func (v GGUFVocab) specials() []ggufSpecial {
	return []ggufSpecial{{"bos_token", v.BOS}, {"eos_token", v.EOS}, {"pad_token", v.PAD}, {"unk_token", v.UNK}}
}

func (v GGUFVocab) config() object {
	config := object{"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": false}
	for _, special := range v.specials() {
		if special.id >= 0 {
			config[special.key] = v.Tokens[special.id]
		}
	}
	return config
}

func (v GGUFVocab) builder() (builder, error) {
	switch v.Model {
	case "gpt2":
		return v.byteLevel()
	case "llama":
		return v.sentencePiece()
	}
	return builder{}, fmt.Errorf("tokenizer.ggml.model %q is not supported, expected gpt2 or llama", v.Model)
}

// vocab lists the tokens; of equal ones the last keeps its id.
func (v GGUFVocab) vocab() (orderedVocab, map[string]int32) {
	ids := make(map[string]int32, len(v.Tokens))
	for id, token := range v.Tokens {
		ids[token] = int32(id)
	}
	return sortVocab(ids), ids
}

func (v GGUFVocab) byteLevel() (builder, error) {
	family, ok := ggufFamilies[v.Pre]
	if !ok {
		return builder{}, fmt.Errorf("tokenizer.ggml.pre %q is not supported, expected gpt-2, smollm, llama-bpe or qwen2", v.Pre)
	}
	merges, err := splitMerges(v.Merges)
	if err != nil {
		return builder{}, fmt.Errorf("tokenizer.ggml.merges: %w", err)
	}
	vocab, _ := v.vocab()
	return byteLevelBuilder(family, vocab, merges), nil
}

// sentencePiece is the BPE of SentencePiece as the tokenizer.json of Llama 2 spells it: ▁ in front, ▁ for blanks,
// bytes for unknown characters, merges by falling score.
func (v GGUFVocab) sentencePiece() (builder, error) {
	if len(v.Scores) == 0 {
		return builder{}, fmt.Errorf("tokenizer.ggml.scores is missing")
	}
	const blank = string(metaspaceRune)
	vocab, ids := v.vocab()
	var unknown any
	if v.UNK >= 0 {
		unknown = v.Tokens[v.UNK]
	}
	toBlank := object{"type": "Replace", "pattern": object{"String": " "}, "content": blank}
	fromBlank := object{"type": "Replace", "pattern": object{"String": blank}, "content": " "}
	return builder{
		Normalizer: object{
			"type": "Sequence", "normalizers": []object{{"type": "Prepend", "prepend": blank}, toBlank},
		},
		Decoder: object{"type": "Sequence", "decoders": []object{
			fromBlank, {"type": "ByteFallback"}, {"type": "Fuse"},
			{"type": "Strip", "content": " ", "start": 1, "stop": 0},
		}},
		Model: object{
			"type": "BPE", "dropout": nil, "unk_token": unknown, "continuing_subword_prefix": nil,
			"end_of_word_suffix": nil, "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
			"vocab": vocab, "merges": v.scoredMerges(ids),
		},
	}, nil
}

// scoredMerges derives the merges from the scores, as transformers' generate_merges: a token merges from every pair
// of tokens that spell it; higher scores first, then the longer left and right part, then the order of the tokens.
func (v GGUFVocab) scoredMerges(ids map[string]int32) [][2]string {
	type merge struct {
		left, right         string
		score               float32
		leftChars, rightLen int
	}
	var merges []merge
	for id, token := range v.Tokens {
		if ids[token] != int32(id) {
			continue
		}
		from := len(merges)
		chars := utf8.RuneCountInString(token)
		n := 0
		for i := range token {
			if _, ok := ids[token[:i]]; ok && i > 0 {
				if _, ok := ids[token[i:]]; ok {
					merges = append(merges, merge{token[:i], token[i:], v.Scores[id], n, chars - n})
				}
			}
			n++
		}
		slices.SortStableFunc(merges[from:], func(a, b merge) int {
			return cmp.Or(cmp.Compare(ids[a.left], ids[b.left]), cmp.Compare(ids[a.right], ids[b.right]))
		})
	}
	slices.SortStableFunc(merges, func(a, b merge) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(b.leftChars, a.leftChars), cmp.Compare(b.rightLen, a.rightLen))
	})
	out := make([][2]string, len(merges))
	for i, m := range merges {
		out[i] = [2]string{m.left, m.right}
	}
	return out
}

// addedTokens are the control tokens, which are special, and the user-defined ones, both looked for in the text as
// it is. A control token that a byte-level vocabulary spells outside its alphabet is left out, as transformers does.
func (v GGUFVocab) addedTokens() []addedToken {
	var out []addedToken
	for id, token := range v.Tokens {
		kind := int32(0)
		if len(v.Types) > 0 {
			kind = v.Types[id]
		}
		if id == v.UNK && v.Model == "llama" {
			kind = ggufControl
		}
		if kind != ggufControl && kind != ggufUserDefined || token == "" {
			continue
		}
		if _, ok := bytesOf(token); !ok && v.Model == "gpt2" && kind == ggufControl {
			continue
		}
		out = append(out, addedToken{ID: int32(id), Content: token, Special: kind == ggufControl})
	}
	return out
}
