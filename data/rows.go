package data

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"revela/data/jsonl"
	"revela/data/parquet"
)

// scanParquet puts the rows of a Parquet file into a spool as lines, and indexes these: columns are the keys of a line.
func (f *indexed) scanParquet() error {
	hash := sha256.New()
	size, err := io.Copy(hash, f.content)
	if err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	f.SHA256, f.Bytes = hex.EncodeToString(hash.Sum(nil)), size
	spool, err := unnamedFile()
	if err != nil {
		return fmt.Errorf("%s: decode: %w", f.Path, err)
	}
	err = errors.Join(f.content.Close(), writeRows(spool, f.Path))
	f.content = spool
	if err != nil {
		return err
	}
	if _, err := spool.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("%s: decode: %w", f.Path, err)
	}
	return f.readLines(jsonl.NewReader(f.Path, spool))
}

// writeRows writes each row as a line.
func writeRows(w io.Writer, path string) error {
	names, err := parquet.Columns(path)
	if err != nil {
		return err
	}
	var wanted []string
	for _, name := range []string{"src", "query", "text"} {
		if slices.Contains(names, name) {
			wanted = append(wanted, name)
		}
	}
	if !slices.Contains(wanted, "text") {
		return fmt.Errorf("%s: columns are %v, expected text, and perhaps query and src", path, names)
	}
	buffered := bufio.NewWriterSize(w, 1<<18)
	lines := json.NewEncoder(buffered)
	lines.SetEscapeHTML(false)
	line := map[string]any{}
	err = parquet.Rows(path, wanted, func(_ int64, values map[string]any) error {
		clear(line)
		for name, value := range values {
			if list, ok := value.([]any); value != nil && !(ok && len(list) == 0 && name == "query") { // an empty list stands for none
				line[name] = value
			}
		}
		return lines.Encode(line)
	})
	if err == nil {
		err = buffered.Flush()
	}
	return err
}
