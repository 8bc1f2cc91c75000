package tokenizer

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// convertVocabulary makes a tokenizer.json of the vocabulary files of a folder without one. The result names the file
// that errors are about and the class of transformers, for its special tokens.
func convertVocabulary(dir string, configJSON []byte) (sources, error) {
	s := sources{dir: dir, config: configJSON}
	vocabTxt, err := readOptional(filepath.Join(dir, "vocab.txt"))
	if err != nil {
		return s, err
	}
	if vocabTxt != nil {
		s.name, s.class = "vocab.txt", "BertTokenizer"
		s.tokenizer, err = convertBERT(dir, vocabTxt, configJSON)
		return s, err
	}
	vocabJSON, err := readOptional(filepath.Join(dir, "vocab.json"))
	if err != nil {
		return s, err
	}
	if vocabJSON == nil {
		return s, fmt.Errorf("%s has no tokenizer.json, no vocab.txt and no vocab.json with merges.txt", dir)
	}
	s.name = "vocab.json"
	if s.class, err = bpeClass(dir, configJSON); err != nil {
		return s, err
	}
	s.tokenizer, err = convertBPE(s, vocabJSON)
	return s, err
}

// bertOptions are the keys of tokenizer_config.json that BertTokenizer builds its normalizer of.
type bertOptions struct {
	LowerCase    bool  `json:"do_lower_case"`
	Chinese      bool  `json:"tokenize_chinese_chars"`
	StripAccents *bool `json:"strip_accents"`
}

// convertBERT builds what transformers' BertTokenizer builds of vocab.txt, a token a line.
func convertBERT(dir string, vocabTxt, configJSON []byte) ([]byte, error) {
	options := bertOptions{LowerCase: true, Chinese: true}
	_, special, err := readConfig(configJSON)
	if err == nil && len(configJSON) > 0 {
		err = readJSON(configJSON, &options)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, "tokenizer_config.json"), err)
	}
	vocab := map[string]int32{}
	for i, line := range strings.Split(strings.TrimSuffix(string(vocabTxt), "\n"), "\n") {
		vocab[strings.TrimSuffix(line, "\r")] = int32(i)
	}
	special.complete("BertTokenizer", func(string) bool { return true })
	for _, token := range []string{special.CLS, special.SEP, special.UNK} {
		if _, ok := vocab[token]; !ok {
			return nil, fmt.Errorf("%s: the token %q is missing", filepath.Join(dir, "vocab.txt"), token)
		}
	}
	return bertBuilder(options, special, vocab).json()
}

func bertBuilder(options bertOptions, special specialTokens, vocab map[string]int32) builder {
	cls, sep := specialID{special.CLS, vocab[special.CLS]}, specialID{special.SEP, vocab[special.SEP]}
	b := builder{
		Normalizer: object{
			"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": options.Chinese,
			"strip_accents": options.StripAccents, "lowercase": options.LowerCase,
		},
		PreTokenizer:  object{"type": "BertPreTokenizer"},
		PostProcessor: newTemplate([]specialID{cls}, []specialID{sep}).bertPair(1),
		Decoder:       object{"type": "WordPiece", "prefix": "##", "cleanup": true},
		Model: object{
			"type": "WordPiece", "unk_token": special.UNK, "continuing_subword_prefix": "##",
			"max_input_chars_per_word": 100, "vocab": sortVocab(vocab),
		},
	}
	for _, n := range special.named() {
		if id, ok := vocab[*n.token]; ok {
			b.AddedTokens = append(b.AddedTokens, addedToken{ID: id, Content: *n.token, Special: true})
		}
	}
	return b
}

// convertBPE builds what transformers' GPT2Tokenizer or Qwen2Tokenizer builds of vocab.json and merges.txt.
func convertBPE(s sources, vocabJSON []byte) ([]byte, error) {
	var vocab map[string]int32
	if err := readJSON(vocabJSON, &vocab); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(s.dir, "vocab.json"), err)
	}
	mergesPath := filepath.Join(s.dir, "merges.txt")
	text, err := os.ReadFile(mergesPath)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimSuffix(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n"), "\n")
	merges, err := splitMerges(lines)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", mergesPath, err)
	}
	family := map[string]string{"GPT2Tokenizer": "gpt-2", "Qwen2Tokenizer": "qwen2"}[s.class]
	b := byteLevelBuilder(family, sortVocab(vocab), merges)
	if b.PostProcessor, err = flagProcessor(s, vocab); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(s.dir, "tokenizer_config.json"), err)
	}
	return b.json()
}

// flagProcessor is the post-processor that add_bos_token and add_eos_token ask for (HF: update_post_processor).
func flagProcessor(s sources, vocab map[string]int32) (*template, error) {
	c, special, err := readConfig(s.config)
	if err != nil {
		return nil, err
	}
	special.complete(s.class, func(string) bool { return true })
	var around [2][]specialID
	for i, flag := range []struct {
		key, token string
		set        bool
	}{{"add_bos_token", special.BOS, c.addBOS}, {"add_eos_token", special.EOS, c.addEOS}} {
		if !flag.set || flag.token == "" {
			continue
		}
		id, ok := vocab[flag.token]
		if !ok {
			return nil, fmt.Errorf("%s: the token %q is not in vocab.json", flag.key, flag.token)
		}
		around[i] = []specialID{{flag.token, id}}
	}
	return newTemplate(around[0], around[1]), nil
}

// bpeClass tells which of the two classes a folder's BPE has: by tokenizer_class, else by the model_type of config.json.
func bpeClass(dir string, configJSON []byte) (string, error) {
	c, _, err := readConfig(configJSON)
	if err != nil {
		return "", fmt.Errorf("%s: %w", filepath.Join(dir, "tokenizer_config.json"), err)
	}
	if c.class == "GPT2Tokenizer" || c.class == "Qwen2Tokenizer" {
		return c.class, nil
	}
	var model struct {
		Type string `json:"model_type"`
	}
	path := filepath.Join(dir, "config.json")
	data, err := readOptional(path)
	if err != nil {
		return "", err
	}
	if data != nil {
		if err := readJSON(data, &model); err != nil {
			return "", fmt.Errorf("%s: %w", path, err)
		}
	}
	switch {
	case model.Type == "gpt2", model.Type == "" && c.class == "":
		return "GPT2Tokenizer", nil
	case model.Type == "qwen2", model.Type == "qwen3":
		return "Qwen2Tokenizer", nil
	}
	return "", fmt.Errorf("%s: vocab.json with merges.txt is supported for GPT2Tokenizer and Qwen2Tokenizer, found tokenizer_class %q and model_type %q", dir, c.class, model.Type)
}
