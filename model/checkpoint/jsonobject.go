package checkpoint

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// object is a JSON object read key by key, so that a wrong value can be named with its line. The first error sticks:
// later reads do nothing, and the caller looks at err once.
type object struct {
	file   string
	path   string // the object's own key and a dot, empty at the top
	fields map[string]field
	err    error
}

type field struct {
	raw  json.RawMessage
	line int // 1-based line where the value begins
}

// parseObject splits the members of a JSON object that begins on the given line of file.
func parseObject(file, path string, content []byte, line int) (*object, error) {
	o := &object{file: file, path: path, fields: map[string]field{}}
	var probe any
	if err := json.Unmarshal(content, &probe); err != nil {
		return nil, fmt.Errorf("%s:%d: not valid JSON: %w", file, line-1+errorLine(content, err), err)
	}
	if _, ok := probe.(map[string]any); !ok {
		return nil, fmt.Errorf("%s:%d: found %s, expected a JSON object", file, line, abbreviate(content))
	}
	dec := json.NewDecoder(bytes.NewReader(content))
	if _, err := dec.Token(); err != nil { // the opening brace
		return nil, err
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, err
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, err
		}
		begin := dec.InputOffset() - int64(len(raw))
		o.fields[key.(string)] = field{raw, line - 1 + lineAt(content, begin)}
	}
	return o, nil
}

// has reports whether a key is there with a value other than null.
func (o *object) has(key string) bool {
	f, ok := o.fields[key]
	return ok && string(f.raw) != "null"
}

// fail records an error about a key: its place, what was found, what was expected.
func (o *object) fail(key, expected string) {
	if o.err != nil {
		return
	}
	f, ok := o.fields[key]
	if !ok {
		o.err = fmt.Errorf("%s: %s%s is missing, expected %s", o.file, o.path, key, expected)
		return
	}
	o.err = fmt.Errorf("%s:%d: %s%s: found %s, expected %s", o.file, f.line, o.path, key, abbreviate(f.raw), expected)
}

// abbreviate shows a JSON value on one short line.
func abbreviate(raw []byte) string {
	var compact bytes.Buffer
	if json.Compact(&compact, raw) != nil {
		compact.Reset()
		compact.WriteString(strings.Join(strings.Fields(string(raw)), " "))
	}
	if s := []rune(compact.String()); len(s) > 60 {
		return string(s[:57]) + "..."
	}
	return compact.String()
}

// read decodes a key into target when it is there and not null, and reports whether it did.
func (o *object) read(key string, target any, expected string) bool {
	if o.err != nil || !o.has(key) {
		return false
	}
	if err := json.Unmarshal(o.fields[key].raw, target); err != nil {
		o.fail(key, expected)
		return false
	}
	return true
}

// size reads an integer of at least 1, leaving target alone when the key is absent or null.
func (o *object) size(key string, target *int) {
	if o.read(key, target, "a positive integer") && *target < 1 {
		o.fail(key, "a positive integer")
	}
}

// required is size for a key without which the model cannot be built.
func (o *object) required(key string, target *int) {
	if !o.has(key) {
		o.fail(key, "a positive integer")
	}
	o.size(key, target)
}

// positive reads a number above 0.
func (o *object) positive(key string, target *float64) {
	if o.read(key, target, "a positive number") && *target <= 0 {
		o.fail(key, "a positive number")
	}
}

// text reads a string.
func (o *object) text(key string, target *string) { o.read(key, target, "a string") }

// flag reads a boolean.
func (o *object) flag(key string, target *bool) { o.read(key, target, "true or false") }

// tokenID reads a token id; null stands for none, -1.
func (o *object) tokenID(key string, target *int) {
	if f, ok := o.fields[key]; ok && string(f.raw) == "null" {
		*target = -1
	}
	const expected = "a token id (an integer from 0) or null"
	if o.read(key, target, expected) && *target < -1 {
		o.fail(key, expected)
	}
}

// tokenIDs reads one token id or a list of them; null stands for none.
func (o *object) tokenIDs(key string, target *[]int) {
	const expected = "a token id, a list of token ids, or null"
	f, ok := o.fields[key]
	switch {
	case !ok || o.err != nil:
		return
	case string(f.raw) == "null":
		*target = nil
	case f.raw[0] == '[':
		*target = nil
		o.read(key, target, expected)
	default:
		*target = make([]int, 1)
		o.read(key, &(*target)[0], expected)
	}
	for _, id := range *target {
		if id < 0 {
			o.fail(key, expected)
		}
	}
}

// object reads a nested object; nil when the key is absent or null, or after an error.
func (o *object) object(key string) *object {
	if o.err != nil || !o.has(key) {
		return nil
	}
	f := o.fields[key]
	if f.raw[0] != '{' {
		o.fail(key, "an object")
		return nil
	}
	inner, err := parseObject(o.file, o.path+key+".", f.raw, f.line)
	if err != nil {
		o.err = err
		return nil
	}
	return inner
}
