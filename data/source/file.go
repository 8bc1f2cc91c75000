package source

import (
	"fmt"
	"io"
	"os"
	"strings"

	"revela/data/jsonl"
)

// parseFile reads a file that is one document.
func parseFile(path string, format Format) (Document, error) {
	raw, err := ReadFile(path)
	if err != nil {
		return Document{}, fmt.Errorf("read input: %w", err)
	}
	switch format {
	case HTML:
		d, err := parseHTML(raw)
		if err != nil {
			err = broken(path, 1, err)
		}
		return d, err
	case PDF:
		d, err := parsePDF(raw)
		if err != nil {
			err = Broken{fmt.Errorf("%s: %w", path, err)}
		}
		return d, err
	}
	if err := CheckLines(path, raw); err != nil {
		return Document{}, Broken{err}
	}
	d := Document{Text: string(raw), Line: 1, Markdown: format == Markdown}
	if d.Markdown {
		first, _, _ := strings.Cut(strings.TrimSpace(d.Text), "\n")
		if title, found := strings.CutPrefix(first, "# "); found {
			d.Title = strings.TrimSpace(title)
		}
	}
	return d, nil
}

// ReadFile reads a whole file, decoded as its name says.
func ReadFile(path string) ([]byte, error) {
	if TrimCompression(path) == path {
		return os.ReadFile(path)
	}
	r, err := open(path, nil)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	raw, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return raw, nil
}

// CheckLines returns an error that names the first line of content that is not UTF-8.
func CheckLines(name string, content []byte) error {
	if jsonl.CheckUTF8(content) == nil {
		return nil
	}
	line := 1
	for text := range strings.Lines(string(content)) {
		if err := jsonl.CheckUTF8([]byte(text)); err != nil {
			return fmt.Errorf("%s:%d: %w", name, line, err)
		}
		line++
	}
	return nil
}
