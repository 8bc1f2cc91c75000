package evaluate

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"revela/data/jsonl"
)

// Document is a document or, without a title, a query.
type Document struct {
	ID, Title, Text string
	// Where a document of source code stands, as revela prepare notes it; empty and 0 where the file does not say.
	File, Name string
	Line       int
}

// FullText returns what is encoded: title and text joined by a blank, as mteb and BEIR do.
func (d Document) FullText() string {
	if d.Title == "" || d.Text == "" {
		return d.Title + d.Text
	}
	return d.Title + " " + d.Text
}

// maxLine bounds the memory that one line of a file can take.
const maxLine = 64 << 20

// EachDocument reads JSON Lines with the keys _id, text and, optionally, title, file, line and name (others are ignored,
// and so are values of the last three that are of other types than prepare writes), plain or compressed (.gz, .zst), and
// calls visit for every one with its line number. One line is held in memory at a time. Errors, visit's as well, name file
// and line.
func EachDocument(path string, visit func(line int, d Document) error) error {
	return eachLine(path, parseDocument, visit)
}

// eachLine parses every line of JSON Lines and visits what came of it, with its number. Errors name file and line.
func eachLine[T any](path string, parse func(line []byte) (T, error), visit func(line int, value T) error) error {
	r, err := jsonl.Open(path)
	if err != nil {
		return err
	}
	defer r.Close()
	r.MaxLine = maxLine
	for r.Next() {
		value, err := parse(r.Line().Text)
		if err == nil {
			err = visit(r.Line().Number, value)
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", path, r.Line().Number, err)
		}
	}
	return r.Err()
}

func parseDocument(line []byte) (Document, error) {
	if err := jsonl.CheckUTF8(line); err != nil {
		return Document{}, err
	}
	var fields struct {
		ID    *string `json:"_id"`
		Title *string `json:"title"`
		Text  *string `json:"text"`
		File  any     `json:"file"`
		Name  any     `json:"name"`
		Line  any     `json:"line"`
	}
	if err := json.Unmarshal(line, &fields); err != nil {
		return Document{}, describeJSONError(err)
	}
	switch {
	case fields.ID == nil:
		return Document{}, errors.New(`no key "_id"`)
	case fields.Text == nil:
		return Document{}, errors.New(`no key "text"`)
	case *fields.ID == "" || strings.ContainsAny(*fields.ID, " \t\r\n\v\f"):
		return Document{}, fmt.Errorf("_id is %q, expected an id without white space, which TREC files cannot hold", *fields.ID)
	}
	d := Document{ID: *fields.ID, Text: *fields.Text}
	if fields.Title != nil {
		d.Title = *fields.Title
	}
	d.File, _ = fields.File.(string)
	d.Name, _ = fields.Name.(string)
	if at, ok := fields.Line.(float64); ok {
		d.Line = int(at)
	}
	return d, nil
}

func describeJSONError(err error) error {
	var wrongType *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &wrongType) && wrongType.Field != "":
		return fmt.Errorf("key %q is a %s, expected a string", wrongType.Field, wrongType.Value)
	case errors.As(err, &wrongType):
		return fmt.Errorf("line is a JSON %s, expected an object", wrongType.Value)
	case errors.As(err, &syntax):
		return fmt.Errorf("broken JSON at byte %d: %w", syntax.Offset, err)
	}
	return fmt.Errorf("broken JSON: %w", err)
}
