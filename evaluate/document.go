package evaluate

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"
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
// and so are values of the last three that are of other types than prepare writes), plain or compressed (.gz, .zst), and calls visit for every one with its line number. One line is held in memory at a
// time. Errors, visit's as well, name file and line.
func EachDocument(path string, visit func(line int, d Document) error) error {
	r, err := openText(path)
	if err != nil {
		return err
	}
	defer r.Close()
	lines := bufio.NewReaderSize(r, 1<<18)
	var buffer []byte
	for line := 1; ; line++ {
		buffer, err = readLine(lines, buffer[:0])
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil && len(bytes.TrimSpace(buffer)) > 0 {
			var d Document
			if d, err = parseDocument(buffer); err == nil {
				err = visit(line, d)
			}
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", path, line, err)
		}
	}
}

// readLine appends a line without its end to buffer; io.EOF where none is left.
func readLine(r *bufio.Reader, buffer []byte) ([]byte, error) {
	for {
		part, err := r.ReadSlice('\n')
		buffer = append(buffer, part...)
		switch {
		case len(buffer) > maxLine:
			return buffer, fmt.Errorf("line is longer than %d MiB", maxLine>>20)
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(buffer) > 0:
			return buffer, nil
		case err != nil:
			return buffer, err
		}
		return buffer[:len(buffer)-1], nil
	}
}

func parseDocument(line []byte) (Document, error) {
	if !utf8.Valid(line) {
		return Document{}, fmt.Errorf("invalid UTF-8 at byte %d", invalidByte(line)+1)
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

func invalidByte(line []byte) int {
	for i := 0; i < len(line); {
		r, size := utf8.DecodeRune(line[i:])
		if r == utf8.RuneError && size <= 1 {
			return i
		}
		i += size
	}
	return len(line)
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

// openText opens a file and, by its name's end, decompresses it.
func openText(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	switch {
	case strings.HasSuffix(path, ".gz"):
		r, err := gzip.NewReader(f)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
		}
		return decompressed{r, f}, nil
	case strings.HasSuffix(path, ".zst"):
		r, err := zstd.NewReader(f)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
		}
		return decompressed{r.IOReadCloser(), f}, nil
	}
	return f, nil
}

// decompressed closes the decompressor and the file below it.
type decompressed struct {
	io.ReadCloser
	file *os.File
}

func (d decompressed) Close() error { return errors.Join(d.ReadCloser.Close(), d.file.Close()) }
