package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// specialTokens are the named tokens, "" for none.
type specialTokens struct {
	BOS, EOS, UNK, SEP, PAD, CLS, MASK string
}

// named lists the tokens under their keys in tokenizer_config.json, in transformers' order.
func (s *specialTokens) named() []namedToken {
	return []namedToken{
		{"bos_token", &s.BOS}, {"eos_token", &s.EOS}, {"unk_token", &s.UNK}, {"sep_token", &s.SEP},
		{"pad_token", &s.PAD}, {"cls_token", &s.CLS}, {"mask_token", &s.MASK},
	}
}

type namedToken struct {
	key   string
	token *string
}

// classTokens are the special tokens that a tokenizer class of transformers has when the files name none.
var classTokens = map[string]specialTokens{
	"GPT2Tokenizer":  {BOS: "<|endoftext|>", EOS: "<|endoftext|>", UNK: "<|endoftext|>"},
	"Qwen2Tokenizer": {EOS: "<|endoftext|>", UNK: "<|endoftext|>", PAD: "<|endoftext|>"},
	"LlamaTokenizer": {BOS: "<s>", EOS: "</s>", UNK: "<unk>"},
	"BertTokenizer":  {UNK: "[UNK]", SEP: "[SEP]", PAD: "[PAD]", CLS: "[CLS]", MASK: "[MASK]"},
	"RobertaTokenizer": {
		BOS: "<s>", EOS: "</s>", UNK: "<unk>", SEP: "</s>", PAD: "<pad>", CLS: "<s>", MASK: "<mask>",
	},
}

// config is what this package reads of tokenizer_config.json.
type config struct {
	class          string // tokenizer_class without "Fast"
	truncateLeft   bool
	addBOS, addEOS bool         // transformers 5 heeds them only where there is no tokenizer.json, and so do we
	added          []addedToken // added_tokens_decoder, by id
	extra          []string     // additional_special_tokens
	keys           map[string]json.RawMessage
}

// tokenEntry is a special token in a configuration: a string, an object with its content, or null.
type tokenEntry string

// UnmarshalJSON reads either form.
func (t *tokenEntry) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		var v struct{ Content string }
		err := json.Unmarshal(data, &v)
		*t = tokenEntry(v.Content)
		return err
	}
	return json.Unmarshal(data, (*string)(t))
}

// readConfig reads tokenizer_config.json; data may be empty.
func readConfig(data []byte) (c config, special specialTokens, err error) {
	if len(data) == 0 {
		return c, special, nil
	}
	if err := readJSON(data, &c.keys); err != nil {
		return c, special, err
	}
	var v struct {
		Class   string                `json:"tokenizer_class"`
		Side    string                `json:"truncation_side"`
		AddBOS  bool                  `json:"add_bos_token"`
		AddEOS  bool                  `json:"add_eos_token"`
		Decoder map[string]addedToken `json:"added_tokens_decoder"`
	}
	if err := readJSON(data, &v); err != nil {
		return c, special, err
	}
	c.class = strings.TrimSuffix(v.Class, "Fast")
	c.truncateLeft = v.Side == "left"
	c.addBOS, c.addEOS = v.AddBOS, v.AddEOS
	if err := c.readAdded(v.Decoder); err != nil {
		return c, special, err
	}
	return c, special, special.read(c.keys)
}

func (c *config) readAdded(decoder map[string]addedToken) error {
	for key, token := range decoder {
		id, err := strconv.ParseInt(key, 10, 32)
		if err != nil || id < 0 {
			return fmt.Errorf("added_tokens_decoder: %q is not an id", key)
		}
		token.ID = int32(id)
		c.added = append(c.added, token)
	}
	slices.SortFunc(c.added, func(a, b addedToken) int { return int(a.ID) - int(b.ID) })
	for _, key := range []string{"additional_special_tokens", "extra_special_tokens"} {
		var list []tokenEntry
		if json.Unmarshal(c.keys[key], &list) != nil {
			continue // an object of named tokens in some files; they are in added_tokens_decoder too
		}
		for _, token := range list {
			c.extra = append(c.extra, string(token))
		}
	}
	return nil
}

// read fills in the tokens that are not known yet from the keys of tokenizer_config.json or special_tokens_map.json.
func (s *specialTokens) read(keys map[string]json.RawMessage) error {
	for _, n := range s.named() {
		raw := keys[n.key]
		if isNull(raw) || *n.token != "" {
			continue
		}
		var token tokenEntry
		if err := readJSON(raw, &token); err != nil {
			return fmt.Errorf("%s: %w", n.key, err)
		}
		*n.token = string(token)
	}
	return nil
}

// complete fills in what the class of the tokenizer implies, where the vocabulary has the token.
func (s *specialTokens) complete(class string, known func(token string) bool) {
	defaults := classTokens[class]
	given := defaults.named()
	for i, n := range s.named() {
		if *n.token == "" && known(*given[i].token) {
			*n.token = *given[i].token
		}
	}
}
