package evaluate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"revela/data/jsonl"
	"revela/data/parquet"
)

// record is a line of JSON Lines or a row of Parquet.
type record struct {
	line   int
	values map[string]any
}

func isParquet(path string) bool { return filepath.Ext(path) == ".parquet" }

// eachRecord visits the records of a file, with the values of keys at least, which are reused. Errors name file and line.
func eachRecord(path string, keys []string, visit func(r record) error) error {
	if isParquet(path) {
		columns, err := parquet.Columns(path)
		if err != nil {
			return err
		}
		columns = slices.DeleteFunc(columns, func(name string) bool { return !slices.Contains(keys, name) })
		return parquet.Rows(path, columns, func(row int64, values map[string]any) error {
			return visit(record{int(row), values})
		})
	}
	return eachLine(path, parseRecord, func(line int, values map[string]any) error { return visit(record{line, values}) })
}

func parseRecord(line []byte) (map[string]any, error) {
	if err := jsonl.CheckUTF8(line); err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.UseNumber()
	var values map[string]any
	if err := decoder.Decode(&values); err != nil {
		return nil, describeJSONError(err)
	}
	return values, nil
}

// document takes a document or query out of a record; idKey and textKey may be "", see [Fields].
func (r record) document(idKey, textKey string) (Document, error) {
	if idKey == "" {
		if idKey = "_id"; r.values[idKey] == nil && r.values["id"] != nil {
			idKey = "id"
		}
	}
	if textKey == "" {
		textKey = "text"
	}
	id, err := r.id(idKey)
	if err != nil {
		return Document{}, err
	}
	text, ok := r.values[textKey].(string)
	if !ok {
		return Document{}, r.wrongType(textKey, "a text")
	}
	title, ok := r.values["title"].(string)
	if !ok && r.values["title"] != nil {
		return Document{}, r.wrongType("title", "a text")
	}
	return Document{ID: id, Title: title, Text: text}, nil
}

func (r record) wrongType(key, expected string) error {
	value, there := r.values[key]
	if !there {
		return fmt.Errorf("no key %q", key)
	}
	return fmt.Errorf("key %q is %s, expected %s", key, describeValue(value), expected)
}

func describeValue(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case string:
		return "a text"
	case bool:
		return "true or false"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return fmt.Sprintf("the number %v", value)
}

// id returns an id, a text or a whole number, as mteb casts it.
func (r record) id(key string) (string, error) {
	id, ok := idOf(r.values[key])
	switch {
	case !ok:
		return "", r.wrongType(key, "an id")
	case id == "":
		return "", fmt.Errorf("key %q is empty, expected an id", key)
	}
	return id, nil
}

// idOf returns an id as TREC files can hold it: white space, which a few ids of the hub have, is escaped as in addresses.
func idOf(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		if strings.ContainsAny(v, whiteSpace) {
			v = escapeSpace.Replace(v)
		}
		return v, true
	case int64:
		return strconv.FormatInt(v, 10), true
	case json.Number:
		if _, err := v.Int64(); err == nil {
			return v.String(), true
		}
	}
	return "", false
}

const whiteSpace = " \t\r\n\v\f"

var escapeSpace = strings.NewReplacer(" ", "%20", "\t", "%09", "\r", "%0D", "\n", "%0A", "\v", "%0B", "\f", "%0C")

// ids returns the ids of a list, without none, which stands for an empty one. A key "" has none.
func (r record) ids(key, none string) ([]string, error) {
	if key == "" || r.values[key] == nil {
		return nil, nil
	}
	list, ok := r.values[key].([]any)
	if !ok {
		return nil, r.wrongType(key, "a list of ids")
	}
	var ids []string
	for i, value := range list {
		id, ok := idOf(value)
		if !ok || id == "" {
			return nil, fmt.Errorf("key %q: element %d is %s, expected an id", key, i+1, describeValue(value))
		}
		if id != none {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// judgement reads the keys query-id, corpus-id and score.
func (r record) judgement() (judgement, error) {
	query, err := r.id("query-id")
	if err != nil {
		return judgement{}, err
	}
	document, err := r.id("corpus-id")
	if err != nil {
		return judgement{}, err
	}
	level, err := levelOf(r.values["score"])
	if err != nil {
		return judgement{}, r.wrongType("score", err.Error())
	}
	return judgement{query, document, level}, nil
}

// levelOf reads a relevance level: a whole number, also written as a float or a text.
func levelOf(value any) (int, error) {
	var number float64
	var err error
	switch v := value.(type) {
	case int64:
		number = float64(v)
	case float64:
		number = v
	case json.Number:
		number, err = v.Float64()
	case string:
		number, err = strconv.ParseFloat(v, 64)
	default:
		err = errors.New("other type")
	}
	if err != nil || number != math.Trunc(number) || math.Abs(number) > math.MaxInt16 {
		return 0, errors.New("a whole number from -32768 to 32767")
	}
	return int(number), nil
}
