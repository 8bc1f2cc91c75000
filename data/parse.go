package data

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"revela/data/jsonl"
)

const wantGroup = `expected a list of texts or an object with "text" and perhaps "query" and "src"`

// parseGroup reads one line of a groups file. Its errors say what was found and what was expected.
func parseGroup(line []byte) (Group, error) {
	if err := jsonl.CheckUTF8(line); err != nil {
		return Group{}, err
	}
	var group Group
	var err error
	switch first := bytes.TrimLeft(line, " \t"); {
	case len(first) == 0:
		return Group{}, fmt.Errorf("empty line, %s", wantGroup)
	case first[0] == '[':
		group.Texts, err = parseTexts("text", line)
	case first[0] == '{':
		err = group.parseObject(line)
	default:
		err = foundInstead(line)
	}
	if err != nil {
		return Group{}, err
	}
	return group, group.check()
}

func (g *Group) parseObject(line []byte) error {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(line, &object); err != nil {
		return brokenJSON(err)
	}
	texts, found := object["text"]
	if !found {
		return fmt.Errorf(`object without "text", %s`, wantGroup)
	}
	var err error
	if g.Texts, err = parseTexts("text", texts); err != nil {
		return err
	}
	if queries, found := object["query"]; found {
		if g.Queries, err = parseTexts("query", queries); err != nil {
			return err
		}
		if len(g.Queries) == 0 {
			return errors.New(`"query" is empty, expected at least 1 text (leave it out where the texts are the queries)`)
		}
	}
	if source, found := object["src"]; found {
		if err := json.Unmarshal(source, &g.Source); err != nil {
			return fmt.Errorf(`"src" is %s, expected a text`, kind(source))
		}
	}
	return nil
}

// parseTexts reads a list of texts; name is its key in errors.
func parseTexts(name string, raw []byte) ([]string, error) {
	var items []json.RawMessage
	err := json.Unmarshal(raw, &items)
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) || err == nil && items == nil {
		return nil, fmt.Errorf("%q is %s, expected a list of texts", name, kind(raw))
	}
	if err != nil {
		return nil, brokenJSON(err)
	}
	texts := make([]string, len(items))
	for i, item := range items {
		if item[0] != '"' {
			return nil, fmt.Errorf("%s %d is %s, expected a text", name, i+1, kind(item))
		}
		if err := json.Unmarshal(item, &texts[i]); err != nil {
			return nil, brokenJSON(err)
		}
	}
	return texts, nil
}

// check refuses groups that cannot be trained on.
func (g *Group) check() error {
	if len(g.Texts) == 0 {
		return errors.New("empty group, expected at least 2 texts")
	}
	if len(g.Texts) == 1 {
		return errors.New("group of 1 text, expected at least 2")
	}
	if err := checkTexts("text", g.Texts); err != nil {
		return err
	}
	return checkTexts("query", g.Queries)
}

func checkTexts(name string, texts []string) error {
	for i, text := range texts {
		if text == "" {
			return fmt.Errorf("%s %d is empty, expected at least one token to predict", name, i+1)
		}
	}
	return nil
}

func brokenJSON(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("broken JSON at byte %d: %w, %s", syntax.Offset, err, wantGroup)
	}
	return fmt.Errorf("broken JSON: %w, %s", err, wantGroup)
}

// foundInstead describes a line that is neither list nor object.
func foundInstead(line []byte) error {
	if err := json.Unmarshal(line, new(any)); err != nil {
		return brokenJSON(err)
	}
	return fmt.Errorf("line is %s, %s", kind(line), wantGroup)
}

// kind names a JSON value's type in plain words.
func kind(raw []byte) string {
	switch first := bytes.TrimSpace(raw); first[0] {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a text"
	case 't', 'f':
		return "a truth value"
	case 'n':
		return "null"
	}
	return "a number"
}
