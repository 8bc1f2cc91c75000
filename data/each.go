package data

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"revela/data/jsonl"
)

// Each streams the groups of a file to visit, in the order of the file and as they stand. A line that Open would refuse comes
// with the error that Open would return, which names file and line, instead of a group. Each returns the first error of visit, and
// those of reading.
func Each(path string, visit func(group Group, broken error) error) error {
	lines, closeLines, err := openLines(path)
	if err != nil {
		return err
	}
	for number := 0; lines.Next(); {
		line := lines.Line()
		group, broken := parseGroup(line.Text)
		if broken != nil {
			broken = fmt.Errorf("%s:%d: %w", path, line.Number, broken)
		} else {
			group.Number, group.File, group.Line = number, path, line.Number
			number++
		}
		if err := visit(group, broken); err != nil {
			return errors.Join(err, closeLines())
		}
	}
	return errors.Join(lines.Err(), closeLines())
}

// openLines opens a file of groups as lines.
func openLines(path string) (lines *jsonl.Reader, closeLines func() error, err error) {
	if !strings.HasSuffix(path, ".parquet") {
		lines, err = jsonl.Open(path)
		if err != nil {
			return nil, nil, err
		}
		return lines, lines.Close, nil
	}
	if _, err := os.Stat(path); err != nil {
		return nil, nil, err
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(writeRows(w, path)) }()
	return jsonl.NewReader(path, r), r.Close, nil
}
