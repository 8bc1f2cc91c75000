// Package jsonl reads and writes files of lines, plain or compressed: the name says how
// (.gz is gzip, .zst is Zstandard, anything else is plain).
package jsonl

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// byteOrderMark may open a text file; it is no part of its content.
var byteOrderMark = []byte("\xef\xbb\xbf")

// Compressed tells whether the file's name promises compressed content.
func Compressed(path string) bool {
	return strings.HasSuffix(path, ".gz") || strings.HasSuffix(path, ".zst")
}

// Decompress returns what r holds when decoded as the name of path says. Close releases the decoder, not r.
func Decompress(path string, r io.Reader) (io.ReadCloser, error) {
	switch {
	case strings.HasSuffix(path, ".gz"):
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, fmt.Errorf("%s: not a gzip file: %w", path, err)
		}
		return z, nil
	case strings.HasSuffix(path, ".zst"):
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, fmt.Errorf("%s: not a Zstandard file: %w", path, err)
		}
		return z.IOReadCloser(), nil
	}
	return io.NopCloser(r), nil
}

// Line is one line of a file.
type Line struct {
	Number int    // from 1
	Offset int64  // of its first byte in the decoded file
	Text   []byte // without the line break; valid until the next line is read
}

// Reader reads a file line by line. Lines may be as long as memory allows, or as MaxLine says.
type Reader struct {
	MaxLine int // bytes; a longer line is an error; 0 for no limit

	path   string
	r      *bufio.Reader
	line   Line
	next   int64 // offset of the following line
	long   []byte
	err    error
	closer func() error
}

// Open opens a file for reading by lines.
func Open(path string) (*Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	content, err := Decompress(path, f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	r := NewReader(path, content)
	r.closer = func() error { return errors.Join(content.Close(), f.Close()) }
	return r, nil
}

// NewReader reads decoded lines from r; path is its name in errors.
func NewReader(path string, r io.Reader) *Reader {
	return &Reader{path: path, r: bufio.NewReaderSize(r, 1<<18), closer: func() error { return nil }}
}

// Next advances to the next line that is not blank. It returns false at the end and after an error.
func (r *Reader) Next() bool {
	for r.err == nil {
		if !r.read() {
			return false
		}
		if len(bytes.TrimSpace(r.line.Text)) > 0 {
			return true
		}
	}
	return false
}

// Line returns the line that Next found.
func (r *Reader) Line() Line { return r.line }

// Err returns what ended the reading, nil at the end of the file.
func (r *Reader) Err() error { return r.err }

// Close closes the file.
func (r *Reader) Close() error { return r.closer() }

// read takes the next line, blank or not.
func (r *Reader) read() bool {
	text, err := r.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		r.long = r.long[:0]
		for errors.Is(err, bufio.ErrBufferFull) && (r.MaxLine == 0 || len(r.long) <= r.MaxLine) {
			r.long = append(r.long, text...)
			text, err = r.r.ReadSlice('\n')
		}
		r.long = append(r.long, text...)
		text = r.long
	}
	if r.MaxLine > 0 && len(text) > r.MaxLine {
		err = fmt.Errorf("line is longer than %d MiB", r.MaxLine>>20)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = fmt.Errorf("%s:%d: %w", r.path, r.line.Number+1, err)
		return false
	}
	if len(text) == 0 {
		return false
	}
	r.line = Line{Number: r.line.Number + 1, Offset: r.next, Text: bytes.TrimRight(text, "\r\n")}
	r.next += int64(len(text))
	if r.line.Number == 1 && bytes.HasPrefix(r.line.Text, byteOrderMark) {
		r.line.Text = r.line.Text[len(byteOrderMark):]
		r.line.Offset += int64(len(byteOrderMark))
	}
	return true
}

// CheckUTF8 returns an error that names the first byte of text that is not UTF-8, counted from 1.
// JSON decoders replace such bytes in silence.
func CheckUTF8(text []byte) error {
	if utf8.Valid(text) {
		return nil
	}
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size <= 1 {
			return fmt.Errorf("invalid UTF-8: byte %d is 0x%02x, expected UTF-8 text", i+1, text[i])
		}
		i += size
	}
	return nil
}
