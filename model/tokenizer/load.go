package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"unicode/utf8"
)

// Load reads the tokenizer of a checkpoint's folder: tokenizer.json, else vocab.txt (BERT), else vocab.json with
// merges.txt (GPT-2, Qwen2); with tokenizer_config.json and special_tokens_map.json where they exist.
func Load(dir string) (*Tokenizer, error) {
	t, err := load(dir)
	if err != nil {
		return nil, fmt.Errorf("load tokenizer: %w", err)
	}
	return t, nil
}

func load(dir string) (*Tokenizer, error) {
	var read [3][]byte
	for i, name := range []string{"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"} {
		data, err := readOptional(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		read[i] = data
	}
	if read[0] != nil {
		return parse(sources{dir, "tokenizer.json", "", read[0], read[1], read[2]})
	}
	s, err := convertVocabulary(dir, read[1])
	if err != nil {
		return nil, err
	}
	s.specialsMap = read[2]
	return parse(s)
}

// readOptional returns nil for a file that does not exist.
func readOptional(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// Parse builds a tokenizer from the contents of tokenizer.json and tokenizer_config.json (nil for none). The name
// stands for the folder in errors.
func Parse(name string, tokenizerJSON, tokenizerConfigJSON []byte) (*Tokenizer, error) {
	t, err := parse(sources{name, "tokenizer.json", "", tokenizerJSON, tokenizerConfigJSON, nil})
	if err != nil {
		return nil, fmt.Errorf("load tokenizer: %w", err)
	}
	return t, nil
}

// sources are the contents of a tokenizer's files.
type sources struct {
	dir, name                      string // name of the file that tokenizer was read or made from
	class                          string // tokenizer_class where the configuration names none
	tokenizer, config, specialsMap []byte
}

func parse(s sources) (*Tokenizer, error) {
	t := &Tokenizer{added: newAddedVocabulary()}
	var err error
	if t.config, t.special, err = readConfig(s.config); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(s.dir, "tokenizer_config.json"), err)
	}
	if t.config.class == "" {
		t.config.class = s.class
	}
	if len(s.specialsMap) > 0 {
		var keys map[string]json.RawMessage
		err := readJSON(s.specialsMap, &keys)
		if err == nil {
			err = t.special.read(keys)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(s.dir, "special_tokens_map.json"), err)
		}
	}
	if err := t.build(s.tokenizer); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(s.dir, s.name), err)
	}
	return t, nil
}

// build reads tokenizer.json; the configuration has been read.
func (t *Tokenizer) build(data []byte) (err error) {
	file := &t.file
	if !utf8.Valid(data) {
		return errors.New("not valid UTF-8")
	}
	if err := readJSON(data, file); err != nil {
		return err
	}
	if file.Version != "" && file.Version != "1.0" {
		return fmt.Errorf("version %q is not supported, expected 1.0", file.Version)
	}
	if t.normalize, err = readNormalizer(file.Normalizer); err != nil {
		return err
	}
	if t.split, err = readPreTokenizers(file.PreTokenizer); err != nil {
		return err
	}
	if err := t.checkMetaspace(); err != nil {
		return err
	}
	if t.model, t.vocab, err = readModel(file.Model, t.isByteLevel()); err != nil {
		return err
	}
	t.tokens = make(map[int32]string, len(t.vocab))
	for token, id := range t.vocab {
		t.tokens[id] = token
	}
	if t.decode, err = readDecoder(file.Decoder); err != nil {
		return err
	}
	if t.post, err = readPostProcessor(file.PostProcessor); err != nil {
		return err
	}
	return t.addTokens()
}

// isByteLevel tells whether words reach the model in ByteLevel's alphabet.
func (t *Tokenizer) isByteLevel() bool {
	if len(t.split) == 0 {
		return false
	}
	_, ok := t.split[len(t.split)-1].(byteLevel)
	return ok
}

func (t *Tokenizer) checkMetaspace() error {
	for _, step := range t.split {
		if m, ok := step.(metaspace); ok && m.scheme == "first" && movesStart(t.normalize) {
			return errors.New("pre_tokenizer Metaspace: prepend_scheme first after a normalizer that removes text is not supported")
		}
	}
	return nil
}

// addTokens adds the tokens of tokenizer.json, then as transformers does those of tokenizer_config.json and the
// special tokens that are not among them.
func (t *Tokenizer) addTokens() error {
	var list []addedToken
	if raw := t.file.AddedTokens; !isNull(raw) {
		if err := readJSON(raw, &list); err != nil {
			return fmt.Errorf("added_tokens: %w", err)
		}
	}
	t.added.add(list, t.vocab, t.normalize)
	t.special.complete(t.config.class, func(token string) bool {
		_, ok := t.TokenID(token)
		return ok
	})
	t.added.add(t.configTokens(), t.vocab, t.normalize)
	t.added.index()
	return nil
}

// configTokens are the tokens of added_tokens_decoder and the special tokens that are added nowhere else.
func (t *Tokenizer) configTokens() []addedToken {
	tokens := slices.Clone(t.config.added)
	var names []string
	for _, n := range t.special.named() {
		names = append(names, *n.token)
	}
	for _, name := range append(names, t.config.extra...) {
		_, added := t.added.ids[name]
		if !added && !slices.ContainsFunc(tokens, func(token addedToken) bool { return token.Content == name }) {
			tokens = append(tokens, addedToken{Content: name, Special: true})
		}
	}
	return tokens
}
