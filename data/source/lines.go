package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"

	"revela/data/jsonl"
)

// lines reads JSON Lines.
type lines struct {
	*jsonl.Reader
	file io.Closer
}

func openLines(path string, read *atomic.Int64) (Reader, error) {
	f, err := open(path, read)
	if err != nil {
		return nil, err
	}
	return &lines{jsonl.NewReader(path, f), f}, nil
}

func (l *lines) Record() Record {
	line := l.Reader.Line()
	return Record{Line: line.Number, Raw: slices.Clone(line.Text)}
}

func (l *lines) Close() error { return l.file.Close() }

// idKeys, titleKeys and textKeys are the names that corpora use, the first one found counts: BEIR, Tevatron, Pyserini,
// CodeRAG-Bench.
var (
	idKeys    = []string{"_id", "id", "docid", "doc_id"}
	titleKeys = []string{"title", "doc_title"}
	textKeys  = []string{"text", "contents", "content", "body", "doc_content"}
)

const wantRecord = `expected {"_id": …, "title": …, "text": …}`

// object is a line of JSON Lines, under each of the names.
type object struct {
	ID1    any     `json:"_id"`
	ID2    any     `json:"id"`
	ID3    any     `json:"docid"`
	ID4    any     `json:"doc_id"`
	Title1 *string `json:"title"`
	Title2 *string `json:"doc_title"`
	Text1  *string `json:"text"`
	Text2  *string `json:"contents"`
	Text3  *string `json:"content"`
	Text4  *string `json:"body"`
	Text5  *string `json:"doc_content"`
}

// parseLine reads an object with a text, and perhaps an id and a title.
func parseLine(raw []byte) (Document, error) {
	if err := jsonl.CheckUTF8(raw); err != nil {
		return Document{}, err
	}
	var o object
	if err := json.Unmarshal(raw, &o); err != nil {
		return Document{}, describe(err)
	}
	text := first(o.Text1, o.Text2, o.Text3, o.Text4, o.Text5)
	if text == nil {
		return Document{}, fmt.Errorf(`object without "text", %s`, wantRecord)
	}
	d := Document{Text: *text}
	if title := first(o.Title1, o.Title2); title != nil {
		d.Title = *title
	}
	for i, id := range []any{o.ID1, o.ID2, o.ID3, o.ID4} {
		switch id := id.(type) {
		case nil:
			continue
		case string:
			d.ID = id
		case float64:
			d.ID = strings.TrimSuffix(fmt.Sprintf("%f", id), ".000000")
		default:
			return d, fmt.Errorf("%q is %T, expected a text or a number", idKeys[i], id)
		}
		break
	}
	return d, nil
}

func first(values ...*string) *string {
	for _, v := range values {
		if v != nil {
			return v
		}
	}
	return nil
}

// describe puts a JSON error into plain words.
func describe(err error) error {
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong) && wrong.Field != "":
		return fmt.Errorf("%q is of type %s, expected a text", wrong.Field, wrong.Value)
	case errors.As(err, &wrong):
		return fmt.Errorf("line is of type %s, %s", wrong.Value, wantRecord)
	}
	return fmt.Errorf("broken JSON: %w, %s", err, wantRecord)
}
