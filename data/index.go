package data

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"revela/data/jsonl"
)

// indexed is a file of groups with random access to its lines.
type indexed struct {
	File
	content *os.File // the file itself, or what it decodes to
	offsets []int64
	lengths []int32
	lines   []int32 // numbers, from 1
}

// Close releases the content.
func (f *indexed) Close() error { return f.content.Close() }

// index reads a file once: it hashes it, decodes it where it is compressed, and checks and locates its lines.
func index(path string) (*indexed, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	file := &indexed{File: File{Path: path}, content: f}
	scan := file.scan
	if strings.HasSuffix(path, ".parquet") {
		scan = file.scanParquet
	}
	if err := scan(); err != nil {
		return nil, errors.Join(err, file.content.Close())
	}
	if file.Groups = len(file.offsets); file.Groups == 0 {
		return nil, errors.Join(fmt.Errorf("%s: no groups, expected one a line", path), file.content.Close())
	}
	return file, nil
}

// scan fills the index from file.content, and puts the spool of a compressed file in its place.
func (f *indexed) scan() error {
	hash := sha256.New()
	raw := io.TeeReader(f.content, hash)
	decoded, err := jsonl.Decompress(f.Path, raw)
	if err != nil {
		return err
	}
	defer decoded.Close()
	lines, spool := io.Reader(decoded), (*os.File)(nil)
	if jsonl.Compressed(f.Path) {
		if spool, err = unnamedFile(); err != nil {
			return fmt.Errorf("%s: decode: %w", f.Path, err)
		}
		lines = io.TeeReader(decoded, spool)
	}
	err = f.readLines(jsonl.NewReader(f.Path, lines))
	if err == nil {
		_, err = io.Copy(io.Discard, raw) // bytes that the decoder left count in the hash
	}
	if err == nil {
		f.SHA256 = hex.EncodeToString(hash.Sum(nil))
		f.Bytes, err = f.content.Seek(0, io.SeekCurrent)
	}
	if spool != nil {
		err = errors.Join(err, f.content.Close())
		f.content = spool
	}
	return err
}

func (f *indexed) readLines(r *jsonl.Reader) error {
	for r.Next() {
		line := r.Line()
		if len(line.Text) > math.MaxInt32 || line.Number > math.MaxInt32 {
			return fmt.Errorf("%s:%d: line of %d bytes, expected less than 2 GiB and 2³¹ lines", f.Path, line.Number, len(line.Text))
		}
		if !isGroup(line.Text) {
			if _, err := parseGroup(line.Text); err != nil {
				return fmt.Errorf("%s:%d: %w", f.Path, line.Number, err)
			}
		}
		f.offsets = append(f.offsets, line.Offset)
		f.lengths = append(f.lengths, int32(len(line.Text)))
		f.lines = append(f.lines, int32(line.Number))
	}
	return r.Err()
}

// unnamedFile opens a temporary file without a name: it is gone when closed, however the program ends.
func unnamedFile() (*os.File, error) {
	f, err := os.CreateTemp("", "revela-groups-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
