// Package source reads documents from files: text, Markdown, HTML, PDF, source code, JSON Lines, CSV and TSV, Parquet,
// Wikipedia dumps (pages-articles) and Stack Overflow's Posts.xml, plain or compressed (.gz, .zst, .bz2).
//
// Reading has two halves. A Reader takes a file apart into records, in order, in bounded memory and cheaply; Parse
// turns a record into a document, and may be called from many goroutines at once.
package source

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"

	"revela/data/jsonl"
)

// Document is one document of an input, before it is cut.
type Document struct {
	ID       string // the record's own; "" where it has none
	Title    string
	Text     string
	Parent   string    // what it is an answer to; "" for none
	Line     int       // where it starts in its file, from 1; of Parquet, the row
	Sections []Section // of formats other than Markdown whose headings are known
	Markdown bool      // Text is Markdown
}

// Section is a heading and where the text up to the next heading lies, in bytes of the document's text.
type Section struct {
	Level   int    // from 1
	Heading string // on one line, without markup
	At      int    // where the heading starts
	Start   int    // where the text below it starts
	End     int
}

// Record is a part of a file that one document is made of.
type Record struct {
	Line   int       // of its first line, from 1; of Parquet, the row
	Raw    []byte    // nil for files that are one document, which Parse reads, and for tables
	Fields *Document // the cells of a table's row
	Err    error     // what is wrong with this record alone; reading goes on behind it
}

// Reader takes a file apart. A record stays valid after Next.
type Reader interface {
	Next() bool // false at the end and after an error that nothing can be read behind
	Record() Record
	Err() error
	Close() error
}

// Broken is an error that concerns one record alone.
type Broken struct{ Err error }

func (b Broken) Error() string { return b.Err.Error() }
func (b Broken) Unwrap() error { return b.Err }

// broken is an error of the record at a line of a file.
func broken(path string, line int, err error) error {
	return Broken{fmt.Errorf("%s:%d: %w", path, line, err)}
}

// Open opens a file for reading in a format that FormatOf knows. Bytes read from the disk are added to read, which may
// be nil.
func Open(path string, format Format, read *atomic.Int64) (Reader, error) {
	switch format {
	case Lines:
		return openLines(path, read)
	case CSV, TSV:
		return openTable(path, format, read)
	case Parquet:
		return openParquet(path, read)
	case Wikipedia:
		return openDump(path, read)
	case Posts:
		return openPosts(path, read)
	}
	return &whole{path: path, read: read}, nil
}

// Parse makes a document of a record; ok is false for records that are none, such as redirects. An error is Broken
// where it concerns the record alone.
func Parse(path string, format Format, r Record) (d Document, ok bool, err error) {
	if r.Err != nil {
		return d, false, r.Err
	}
	switch format {
	case Lines:
		d, err = parseLine(r.Raw)
	case CSV, TSV, Parquet:
		d = *r.Fields
	case Wikipedia:
		d, ok, err = parsePage(r.Raw)
		if err == nil && !ok {
			return d, false, nil
		}
	case Posts:
		d, ok, err = parsePost(r.Raw)
		if err == nil && !ok {
			return d, false, nil
		}
	default:
		d, err = parseFile(path, format)
		return d, err == nil, err
	}
	if err != nil {
		return d, false, broken(path, r.Line, err)
	}
	d.Line = r.Line
	return d, true, nil
}

// whole is a file that is one record.
type whole struct {
	path string
	read *atomic.Int64
	done bool
}

func (w *whole) Next() bool {
	first := !w.done
	w.done = true
	return first
}

func (w *whole) Record() Record { return Record{Line: 1} }
func (w *whole) Err() error     { return nil }

func (w *whole) Close() error {
	if w.read == nil {
		return nil
	}
	if info, err := os.Stat(w.path); err == nil {
		w.read.Add(info.Size())
	}
	return nil
}

// counter adds what is read from a file to a total.
type counter struct {
	f     *os.File
	total *atomic.Int64
}

func (c counter) Read(b []byte) (int, error) {
	n, err := c.f.Read(b)
	if c.total != nil {
		c.total.Add(int64(n))
	}
	return n, err
}

// content is a decoded file.
type content struct {
	io.Reader
	close func() error
}

func (c content) Close() error { return c.close() }

// open opens a file and decodes it as its name says.
func open(path string, read *atomic.Int64) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(path, ".bz2") {
		decoded, stop := decodeBzip2(counter{f, read})
		return content{decoded, func() error { stop(); return f.Close() }}, nil
	}
	decoded, err := jsonl.Decompress(path, counter{f, read})
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return content{decoded, func() error { return errors.Join(decoded.Close(), f.Close()) }}, nil
}
