package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"revela/model/checkpoint"
)

// SentenceConfig is what the files of sentence-transformers say beside the weights.
type SentenceConfig struct {
	RetrieverSettings        // MaxLength is 0 where the files do not say; AppendEOS is never set
	Similarity        string // "cosine", "dot", "euclidean" or "manhattan"; "cosine" where the files do not say
}

// The files of a sentence-transformers folder.
const (
	modulesFile     = "modules.json"
	transformerFile = "sentence_bert_config.json"
	modelFile       = "config_sentence_transformers.json"
	poolingDir      = "1_Pooling"
	normalizeDir    = "2_Normalize"
)

// ReadSentenceConfig reads the settings of a sentence-transformers folder, as versions 2 to 6 write them. The result is
// false where dir has no modules.json. Whatever would give other vectors than revela's is an error.
func ReadSentenceConfig(dir string) (SentenceConfig, bool, error) {
	if _, err := os.Stat(filepath.Join(dir, modulesFile)); err != nil {
		return SentenceConfig{}, false, nil // no folder but a GGUF file, or a plain checkpoint
	}
	c := SentenceConfig{Similarity: "cosine"}
	pooling, err := c.readModules(filepath.Join(dir, modulesFile))
	if err == nil {
		err = c.readPooling(filepath.Join(dir, pooling, "config.json"))
	}
	if err == nil {
		err = c.readTransformer(dir)
	}
	if err == nil {
		err = c.readPrompts(filepath.Join(dir, modelFile))
	}
	if err != nil {
		return SentenceConfig{}, false, fmt.Errorf("read sentence-transformers settings: %w", err)
	}
	return c, true, nil
}

// module is an entry of modules.json.
type module struct {
	Index int    `json:"idx"`
	Name  string `json:"name"`
	Path  string `json:"path"`
	Type  string `json:"type"` // a Python class
}

// class is the name of the module's class without its package, which moved between versions.
func (m module) class() string {
	if !strings.HasPrefix(m.Type, "sentence_transformers.") {
		return m.Type
	}
	return m.Type[strings.LastIndexByte(m.Type, '.')+1:]
}

// readModules accepts Transformer, Pooling and, if anything, Normalize; it returns the folder of the pooling's settings.
func (c *SentenceConfig) readModules(path string) (pooling string, err error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	var list []module
	if err := json.Unmarshal(content, &list); err != nil {
		return "", fmt.Errorf("%s: no list of modules: %w", path, err)
	}
	expected := []string{"Transformer", "Pooling", "Normalize"}
	for i, m := range list {
		if i >= len(expected) || m.class() != expected[i] {
			return "", fmt.Errorf("%s: module %d is a %s; Transformer, Pooling and perhaps Normalize expected, in this order", path, i, m.Type)
		}
	}
	if len(list) < 2 {
		return "", fmt.Errorf("%s: %d modules found; Transformer, Pooling and perhaps Normalize expected", path, len(list))
	}
	if list[0].Path != "" {
		return "", fmt.Errorf("%s: the Transformer lies in %q; the model's own folder (\"\") expected", path, list[0].Path)
	}
	c.Normalize = len(list) == 3
	return list[1].Path, nil
}

// poolings are sentence-transformers' names, before version 5.4 as keys with true or false, then as the value of one.
var poolings = map[string]Pooling{
	"pooling_mode_cls_token": PoolCLS, "pooling_mode_mean_tokens": PoolMean, "pooling_mode_lasttoken": PoolEOS,
	"cls": PoolCLS, "mean": PoolMean, "lasttoken": PoolEOS,
}

func (c *SentenceConfig) readPooling(path string) error {
	s, err := checkpoint.ReadSettings(path)
	if err != nil {
		return err
	}
	const expected = "one of cls, mean and lasttoken"
	var mode string
	if s.Read("pooling_mode", &mode, expected) {
		if c.Pooling = poolings[mode]; c.Pooling == "" {
			s.Fail("pooling_mode", expected)
		}
	} else if s.Err() == nil {
		c.readOldPooling(s)
	}
	whole := true // whether the prompt's tokens are pooled as well
	if s.Read("include_prompt", &whole, "true"); !whole {
		s.Fail("include_prompt", "true")
	}
	if s.Err() == nil && c.Pooling == "" {
		return fmt.Errorf("%s: no pooling mode is set, %s expected", path, expected)
	}
	return s.Err()
}

func (c *SentenceConfig) readOldPooling(s *checkpoint.Settings) {
	for _, key := range s.Keys() {
		on := false
		if !strings.HasPrefix(key, "pooling_mode_") || !s.Read(key, &on, "true or false") || !on {
			continue
		}
		mode := poolings[key]
		if mode == "" || c.Pooling != "" {
			s.Fail(key, "false: one mode alone, of cls_token, mean_tokens and lasttoken, is supported")
		}
		c.Pooling = mode
	}
}

// readTransformer reads the greatest length: of sentence_bert_config.json, else (from version 5.4 on) of the tokenizer.
func (c *SentenceConfig) readTransformer(dir string) error {
	const expected = "a positive integer"
	for _, kind := range []string{"bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet"} {
		path := filepath.Join(dir, "sentence_"+kind+"_config.json")
		if _, err := os.Stat(path); err != nil {
			continue
		}
		s, err := checkpoint.ReadSettings(path)
		if err != nil {
			return err
		}
		lower := false
		if s.Read("do_lower_case", &lower, "false"); lower {
			s.Fail("do_lower_case", "false: revela leaves lower-casing to the tokenizer")
		}
		if s.Has("processing_kwargs") && compact(s, "processing_kwargs") != "{}" {
			s.Fail("processing_kwargs", "none: revela does not support it")
		}
		if s.Read("max_seq_length", &c.MaxLength, expected) && c.MaxLength < 1 {
			s.Fail("max_seq_length", expected)
		}
		if s.Err() != nil || c.MaxLength > 0 {
			return s.Err()
		}
		break
	}
	return c.readTokenizerLength(filepath.Join(dir, "tokenizer_config.json"))
}

func (c *SentenceConfig) readTokenizerLength(path string) error {
	s, err := checkpoint.ReadSettings(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	length := 0.0 // "no limit" is written as 10³⁰
	if s.Read("model_max_length", &length, "a number") && length >= 1 && length < 1e9 {
		c.MaxLength = int(length)
	}
	return s.Err()
}

// readPrompts reads what encode_query and encode_document put before a text.
func (c *SentenceConfig) readPrompts(path string) error {
	s, err := checkpoint.ReadSettings(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var prompts map[string]string
	s.Read("prompts", &prompts, "an object of strings")
	c.QueryPrefix = prompts["query"]
	for _, name := range []string{"corpus", "passage", "document"} { // the last that is set counts
		if prompts[name] != "" {
			c.PassagePrefix = prompts[name]
		}
	}
	if s.Has("truncate_dim") {
		s.Fail("truncate_dim", "null: revela keeps all dimensions")
	}
	s.Read("similarity_fn_name", &c.Similarity, "a string")
	return s.Err()
}
