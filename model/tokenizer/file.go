package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// tokenizerFile is tokenizer.json. The parts stay raw: they are read by type, and written again by Files.
type tokenizerFile struct {
	Version       string          `json:"version"`
	AddedTokens   json.RawMessage `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       json.RawMessage `json:"decoder"`
	Model         json.RawMessage `json:"model"`
}

// readJSON decodes data strictly as JSON; a syntax error names line and byte.
func readJSON(data []byte, v any) error {
	err := json.Unmarshal(data, v)
	if err == nil {
		return nil
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("broken JSON at line %d, byte %d: %w", lineOf(data, syntax.Offset), syntax.Offset, err)
	}
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) {
		field := ""
		if mismatch.Field != "" {
			field = mismatch.Field + ": "
		}
		return fmt.Errorf("%sfound %s, expected %s", field, mismatch.Value, jsonKind(mismatch))
	}
	return err
}

func lineOf(data []byte, offset int64) int {
	return 1 + bytes.Count(data[:min(offset, int64(len(data)))], []byte("\n"))
}

// jsonKind names a Go type as JSON does.
func jsonKind(err *json.UnmarshalTypeError) string {
	switch kind := err.Type.Kind().String(); kind {
	case "slice", "array":
		return "an array"
	case "map", "struct":
		return "an object"
	case "bool":
		return "a boolean"
	case "string":
		return "a string"
	default:
		return "a number (" + kind + ")"
	}
}

// component is an entry of tokenizer.json with a type. where names it in errors, as "pre_tokenizer Split".
type component struct {
	where, kind string
	raw         json.RawMessage
}

// readComponent reads the type of an entry; ok is false where it is null or absent.
func readComponent(where string, raw json.RawMessage) (c component, ok bool, err error) {
	if isNull(raw) {
		return component{}, false, nil
	}
	var head struct {
		Type string `json:"type"`
	}
	if err := readJSON(raw, &head); err != nil {
		return component{}, false, fmt.Errorf("%s: %w", where, err)
	}
	if head.Type == "" {
		return component{}, false, fmt.Errorf("%s: no type", where)
	}
	if strings.ContainsFunc(head.Type, func(r rune) bool { return !unicode.IsLetter(r) }) {
		return component{}, false, fmt.Errorf("%s: type %q is not supported", where, head.Type)
	}
	return component{where + " " + head.Type, head.Type, raw}, true, nil
}

func isNull(raw json.RawMessage) bool {
	return len(raw) == 0 || string(raw) == "null"
}

// read decodes the entry into v. The required keys must be there: a default of ours might not be HF's.
func (c component) read(v any, required ...string) error {
	var present map[string]json.RawMessage
	if err := readJSON(c.raw, &present); err != nil {
		return fmt.Errorf("%s: %w", c.where, err)
	}
	for _, key := range required {
		if _, ok := present[key]; !ok {
			return fmt.Errorf("%s: %q is missing", c.where, key)
		}
	}
	if err := readJSON(c.raw, v); err != nil {
		return fmt.Errorf("%s: %w", c.where, err)
	}
	return nil
}

func (c component) unsupported() error {
	return fmt.Errorf("%s is not supported", c.where)
}

// list reads the entries of a Sequence under key.
func (c component) list(key string) ([]component, error) {
	var fields map[string]json.RawMessage
	if err := c.read(&fields, key); err != nil {
		return nil, err
	}
	var items []json.RawMessage
	if err := readJSON(fields[key], &items); err != nil {
		return nil, fmt.Errorf("%s: %s: %w", c.where, key, err)
	}
	var out []component
	for i, raw := range items {
		item, ok, err := readComponent(fmt.Sprintf("%s[%d]", c.where, i), raw)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, item)
		}
	}
	return out, nil
}

// pattern is {"String": s} or {"Regex": s}.
type pattern struct {
	String *string
	Regex  *string
}
