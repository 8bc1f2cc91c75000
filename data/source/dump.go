package source

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"html"
	"io"
	"strings"
	"sync/atomic"

	"revela/data/jsonl"
	"revela/data/wikitext"
)

// dump reads the pages of a MediaWiki export (pages-articles), a page a record.
type dump struct {
	path   string
	file   io.Closer
	r      *bufio.Reader
	line   int
	record Record
	err    error
}

func openDump(path string, read *atomic.Int64) (Reader, error) {
	f, err := open(path, read)
	if err != nil {
		return nil, err
	}
	return &dump{path: path, file: f, r: bufio.NewReaderSize(f, 1<<18)}, nil
}

var pageStart, pageEnd = []byte("<page>"), []byte("</page>")

func (d *dump) Next() bool {
	var page []byte
	start := 0
	for d.err == nil {
		text, err := d.readLine()
		if errors.Is(err, io.EOF) && len(text) == 0 {
			return d.end(start)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			d.err = fmt.Errorf("%s:%d: %w", d.path, d.line+1, err)
			return false
		}
		d.line++
		trimmed := bytes.TrimSpace(text)
		if start == 0 && bytes.Equal(trimmed, pageStart) {
			start = d.line
		}
		if start > 0 {
			page = append(page, text...)
		}
		if start > 0 && bytes.Equal(trimmed, pageEnd) {
			d.record = Record{Line: start, Raw: page}
			return true
		}
	}
	return false
}

// readLine reads a line of any length; it is valid until the next one is read.
func (d *dump) readLine() ([]byte, error) {
	text, err := d.r.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return text, err
	}
	long := bytes.Clone(text)
	for errors.Is(err, bufio.ErrBufferFull) {
		text, err = d.r.ReadSlice('\n')
		long = append(long, text...)
	}
	return long, err
}

// end is the end of the file; a page that is not closed is a broken record.
func (d *dump) end(start int) bool {
	if start == 0 {
		return false
	}
	d.err = io.EOF
	d.record = Record{Line: start, Err: broken(d.path, start, errors.New("page without </page>, expected a whole one (is the file cut off?)"))}
	return true
}

func (d *dump) Record() Record { return d.record }
func (d *dump) Close() error   { return d.file.Close() }

func (d *dump) Err() error {
	if errors.Is(d.err, io.EOF) {
		return nil
	}
	return d.err
}

// parsePage makes a document of an article; other namespaces and redirects are none.
func parsePage(raw []byte) (d Document, ok bool, err error) {
	if err := jsonl.CheckUTF8(raw); err != nil {
		return d, false, err
	}
	page := string(raw)
	if namespace, _ := inside(page, "ns"); namespace != "0" {
		return d, false, nil
	}
	if strings.Contains(page[:min(len(page), 2000)], "<redirect ") {
		return d, false, nil
	}
	title, found := inside(page, "title")
	if !found {
		return d, false, errors.New("page without <title>")
	}
	text, found := inside(page, "text")
	if !found {
		if at := strings.Index(page, "<text"); at >= 0 && strings.HasPrefix(page[at+strings.IndexByte(page[at:], '>')-1:], "/>") {
			return d, false, nil // an empty page
		}
		return d, false, fmt.Errorf("page %q without <text>", title)
	}
	d.Title = html.UnescapeString(title)
	d.ID = d.Title
	plain, sections := wikitext.Plain(html.UnescapeString(text))
	d.Text = plain
	for _, s := range sections {
		d.Sections = append(d.Sections, Section(s))
	}
	return d, true, nil
}

// inside returns what stands in the first element of a name.
func inside(xml, name string) (text string, found bool) {
	for at := 0; ; {
		next := strings.Index(xml[at:], "<"+name)
		if next < 0 {
			return "", false
		}
		at += next + 1 + len(name)
		if at < len(xml) && (xml[at] == '>' || xml[at] == ' ') {
			_, rest, opened := strings.Cut(xml[at:], ">")
			text, _, closed := strings.Cut(rest, "</"+name+">")
			return text, opened && closed
		}
	}
}
