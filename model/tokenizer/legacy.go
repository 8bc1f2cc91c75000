package tokenizer

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// convertVocabulary makes a tokenizer.json of the vocabulary files of a folder without one, and names the file that
// errors are about.
func convertVocabulary(dir string, configJSON []byte) (name string, tokenizerJSON []byte, err error) {
	vocabTxt, err := readOptional(filepath.Join(dir, "vocab.txt"))
	if err != nil {
		return "", nil, err
	}
	if vocabTxt != nil {
		tokenizerJSON, err = convertBERT(vocabTxt, configJSON)
		if err != nil {
			err = fmt.Errorf("%s: %w", filepath.Join(dir, "tokenizer_config.json"), err)
		}
		return "vocab.txt", tokenizerJSON, err
	}
	vocabJSON, err := readOptional(filepath.Join(dir, "vocab.json"))
	if err != nil {
		return "", nil, err
	}
	if vocabJSON == nil {
		return "", nil, fmt.Errorf("%s has no tokenizer.json, no vocab.txt and no vocab.json with merges.txt", dir)
	}
	tokenizerJSON, err = convertBPE(dir, vocabJSON, configJSON)
	return "vocab.json", tokenizerJSON, err
}

// convertBERT builds what transformers' BertTokenizer builds of vocab.txt, a token a line.
func convertBERT(vocabTxt, configJSON []byte) ([]byte, error) {
	v := struct {
		LowerCase    bool  `json:"do_lower_case"`
		Chinese      bool  `json:"tokenize_chinese_chars"`
		StripAccents *bool `json:"strip_accents"`
	}{LowerCase: true, Chinese: true}
	if len(configJSON) > 0 {
		if err := readJSON(configJSON, &v); err != nil {
			return nil, err
		}
	}
	_, special, err := readConfig(configJSON)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimSuffix(string(vocabTxt), "\n"), "\n")
	vocab := make(orderedVocab, len(lines))
	ids := map[string]int32{}
	for i, line := range lines {
		vocab[i] = vocabEntry{strings.TrimSuffix(line, "\r"), int32(i)}
		ids[vocab[i].token] = int32(i)
	}
	special.complete("BertTokenizer", func(string) bool { return true })
	cls, sep := ids[special.CLS], ids[special.SEP]
	b := builder{
		Normalizer: object{
			"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": v.Chinese,
			"strip_accents": v.StripAccents, "lowercase": v.LowerCase,
		},
		PreTokenizer:  object{"type": "BertPreTokenizer"},
		PostProcessor: newTemplate([]specialID{{special.CLS, cls}}, []specialID{{special.SEP, sep}}).bertPair(),
		Decoder:       object{"type": "WordPiece", "prefix": "##", "cleanup": true},
		Model: object{
			"type": "WordPiece", "unk_token": special.UNK, "continuing_subword_prefix": "##",
			"max_input_chars_per_word": 100, "vocab": vocab,
		},
	}
	for _, n := range special.named() {
		if id, ok := ids[*n.token]; ok {
			b.AddedTokens = append(b.AddedTokens, addedToken{ID: id, Content: *n.token, Special: true})
		}
	}
	for _, token := range []string{special.CLS, special.SEP} {
		if _, ok := ids[token]; !ok {
			return nil, fmt.Errorf("vocab.txt lacks the token %q", token)
		}
	}
	return b.json()
}

// convertBPE builds what transformers' GPT2Tokenizer or Qwen2Tokenizer builds of vocab.json and merges.txt.
func convertBPE(dir string, vocabJSON, configJSON []byte) ([]byte, error) {
	var vocab map[string]int32
	if err := readJSON(vocabJSON, &vocab); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, "vocab.json"), err)
	}
	mergesPath := filepath.Join(dir, "merges.txt")
	text, err := os.ReadFile(mergesPath)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimSuffix(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n"), "\n")
	merges, err := splitMerges(lines)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", mergesPath, err)
	}
	family, err := bpeFamily(dir, configJSON)
	if err != nil {
		return nil, err
	}
	b := byteLevelBuilder(family, sortVocab(vocab), merges)
	return b.json()
}

// bpeFamily tells which split pattern a folder's BPE has, by tokenizer_class or else the model_type of config.json.
func bpeFamily(dir string, configJSON []byte) (string, error) {
	c, _, err := readConfig(configJSON)
	if err != nil {
		return "", fmt.Errorf("%s: %w", filepath.Join(dir, "tokenizer_config.json"), err)
	}
	switch c.class {
	case "GPT2Tokenizer":
		return "gpt-2", nil
	case "Qwen2Tokenizer":
		return "qwen2", nil
	}
	var model struct {
		Type string `json:"model_type"`
	}
	data, err := readOptional(filepath.Join(dir, "config.json"))
	if err != nil {
		return "", err
	}
	if data != nil {
		if err := json.Unmarshal(data, &model); err != nil {
			return "", fmt.Errorf("%s: %w", filepath.Join(dir, "config.json"), err)
		}
	}
	switch model.Type {
	case "gpt2":
		return "gpt-2", nil
	case "qwen2", "qwen3":
		return "qwen2", nil
	case "":
		if c.class == "" {
			return "gpt-2", nil
		}
	}
	return "", fmt.Errorf("%s: vocab.json with merges.txt is supported for GPT2Tokenizer and Qwen2Tokenizer, found tokenizer_class %q and model_type %q", dir, c.class, model.Type)
}
