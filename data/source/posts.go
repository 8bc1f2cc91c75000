package source

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"strings"
	"sync/atomic"

	"revela/data/jsonl"
)

// posts reads Stack Exchange's Posts.xml, whose rows stand on a line each.
type posts struct{ *lines }

func openPosts(path string, read *atomic.Int64) (Reader, error) {
	r, err := openLines(path, read)
	if err != nil {
		return nil, err
	}
	return posts{r.(*lines)}, nil
}

// parsePost makes a document of a question or an answer. Other posts (tag wikis, …) and the lines around the rows are
// none.
func parsePost(raw []byte) (d Document, ok bool, err error) {
	line := bytes.TrimSpace(raw)
	if !bytes.HasPrefix(line, []byte("<row ")) {
		if bytes.HasPrefix(line, []byte("<?xml")) || bytes.HasPrefix(line, []byte("<posts")) || bytes.HasPrefix(line, []byte("</posts")) {
			return d, false, nil
		}
		return d, false, errors.New("line is no row, expected <row Id=… PostTypeId=… Body=… />")
	}
	if err := jsonl.CheckUTF8(line); err != nil {
		return d, false, err
	}
	values, err := attributes(string(line[len("<row "):]))
	if err != nil {
		return d, false, err
	}
	kind := values["PostTypeId"]
	if kind != "1" && kind != "2" {
		return d, false, nil
	}
	if values["Id"] == "" {
		return d, false, errors.New("row without Id")
	}
	body, err := parseHTML([]byte(values["Body"]))
	if err != nil {
		return d, false, err
	}
	return Document{ID: values["Id"], Title: values["Title"], Text: body.Text, Parent: values["ParentId"]}, true, nil
}

// attributes reads name="value" pairs up to the end of a tag.
func attributes(text string) (map[string]string, error) {
	values := map[string]string{}
	for {
		text = strings.TrimLeft(text, " \t")
		if strings.HasPrefix(text, "/>") {
			return values, nil
		}
		name, rest, found := strings.Cut(text, `="`)
		value, rest, closed := strings.Cut(rest, `"`)
		if !found || !closed || strings.ContainsAny(name, " <>") {
			return nil, fmt.Errorf("broken row at %q, expected name=\"value\" pairs and />", text[:min(len(text), 20)])
		}
		values[name] = html.UnescapeString(value)
		text = rest
	}
}
