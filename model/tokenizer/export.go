package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// Files returns the contents of tokenizer.json, tokenizer_config.json and special_tokens_map.json that make
// transformers give the ids of this tokenizer. With appendEOS the post-processor also ends every text with
// eos_token, unless it does so already; sentence-transformers does not add it by itself.
func (t *Tokenizer) Files(appendEOS bool) (map[string][]byte, error) {
	post := t.post
	eos, ok := t.EOS()
	if appendEOS && !ok {
		return nil, errors.New("append EOS: the tokenizer has no eos_token")
	}
	appendEOS = appendEOS && !t.EndsWith(eos)
	if appendEOS {
		post.suffix = append(slices.Clone(post.suffix), eos)
	}
	out := map[string][]byte{}
	file := t.file
	var err error
	if file.PostProcessor, err = t.exportPostProcessor(post, appendEOS); err != nil {
		return nil, fmt.Errorf("write tokenizer.json: %w", err)
	}
	if file.AddedTokens, err = marshal(t.addedByID()); err != nil {
		return nil, fmt.Errorf("write tokenizer.json: %w", err)
	}
	out["tokenizer.json"] = file.json()
	if out["tokenizer_config.json"], err = t.exportConfig(); err != nil {
		return nil, fmt.Errorf("write tokenizer_config.json: %w", err)
	}
	if out["special_tokens_map.json"], err = indent(t.specialsMap()); err != nil {
		return nil, fmt.Errorf("write special_tokens_map.json: %w", err)
	}
	return out, nil
}

func (t *Tokenizer) addedByID() []addedToken {
	tokens := append([]addedToken{}, t.added.tokens...)
	slices.SortFunc(tokens, func(a, b addedToken) int { return int(a.ID) - int(b.ID) })
	return tokens
}

// exportPostProcessor keeps the file's entry where nothing changes; else it becomes a template, beside a ByteLevel
// that was there.
func (t *Tokenizer) exportPostProcessor(post postProcessor, appendEOS bool) (json.RawMessage, error) {
	original := t.file.PostProcessor
	if !appendEOS {
		return original, nil
	}
	tmpl := newTemplate(t.specialIDs(post.prefix), t.specialIDs(post.suffix))
	if _, ok := t.model.(*wordPiece); ok {
		tmpl = tmpl.bertPair(len(post.prefix))
	}
	c, ok, err := readComponent("post_processor", original)
	if err != nil {
		return nil, err
	}
	items := []component{c}
	if ok && c.kind == "Sequence" {
		if items, err = c.list("processors"); err != nil {
			return nil, err
		}
	}
	for _, item := range items {
		if ok && item.kind == "ByteLevel" {
			return marshal(object{"type": "Sequence", "processors": []any{item.raw, tmpl}})
		}
	}
	return marshal(tmpl)
}

func (t *Tokenizer) specialIDs(ids []int32) []specialID {
	out := make([]specialID, len(ids))
	for i, id := range ids {
		token, _ := t.Token(id)
		out[i] = specialID{token, id}
	}
	return out
}

// exportConfig keeps the keys of tokenizer_config.json but for those that would change what tokenizer.json says.
func (t *Tokenizer) exportConfig() ([]byte, error) {
	config := object{}
	for key, raw := range t.config.keys {
		config[key] = raw
	}
	for _, key := range []string{
		"name_or_path", "tokenizer_file", "special_tokens_map_file", "add_bos_token", "add_eos_token",
	} {
		delete(config, key)
	}
	decoder := map[string]addedTokenEntry{}
	for _, token := range t.added.tokens {
		decoder[strconv.Itoa(int(token.ID))] = token.entry()
	}
	config["added_tokens_decoder"] = decoder
	for key, token := range t.specialsMap() {
		config[key] = token
	}
	t.exportClass(config)
	return indent(config)
}

// addedTokenEntry is an entry of added_tokens_decoder, whose key is the id.
type addedTokenEntry struct {
	Content    string `json:"content"`
	LStrip     bool   `json:"lstrip"`
	Normalized bool   `json:"normalized"`
	RStrip     bool   `json:"rstrip"`
	SingleWord bool   `json:"single_word"`
	Special    bool   `json:"special"`
}

func (t addedToken) entry() addedTokenEntry {
	return addedTokenEntry{t.Content, t.LStrip, t.Normalized, t.RStrip, t.SingleWord, t.Special}
}

// exportClass names a class that takes everything from tokenizer.json. Classes such as GPT2Tokenizer of transformers 5
// build normalizer and pre-tokenizer anew; BertTokenizer does so from the options written here.
func (t *Tokenizer) exportClass(config object) {
	bert, ok := t.normalize.(bertNormalizer)
	if !ok || t.config.class != "BertTokenizer" {
		config["tokenizer_class"] = "PreTrainedTokenizerFast"
		return
	}
	config["tokenizer_class"] = "BertTokenizer"
	config["do_lower_case"] = bert.lowercase
	config["tokenize_chinese_chars"] = bert.chinese
	config["strip_accents"] = bert.stripAccents
}

func (t *Tokenizer) specialsMap() object {
	out := object{}
	for _, n := range t.special.named() {
		if *n.token != "" {
			out[n.key] = *n.token
		}
	}
	return out
}

func indent(v any) ([]byte, error) {
	data, err := marshal(v)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, data, "", "  "); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}
