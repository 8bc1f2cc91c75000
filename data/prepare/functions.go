package prepare

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"revela/data/gocode"
	"revela/data/jsonl"
)

// What a function needs to be a unit, and to be a pair of comment and code to train on.
const (
	minCodeLines     = 3
	minCodeBytes     = 60
	minPairCodeBytes = 80
	minCommentWords  = 5
)

// functionReader turns Go files into units.
type functionReader struct {
	modules gocode.Modules
	ids     map[string]int // how often a name came in a package, as init does
}

// read yields the functions of one file. Files that are not for Linux on x86-64 (see gocode.Selected), tests and
// generated code have none; short functions are passed over and counted.
func (r *functionReader) read(f file, yield func(unit) error, short *int) error {
	selected, err := gocode.Selected(f.path)
	if err != nil {
		return broken(err)
	}
	if !selected {
		return nil
	}
	source, err := os.ReadFile(f.path)
	if err != nil {
		return fmt.Errorf("read input: %w", err)
	}
	if err := checkLines(f.path, source); err != nil {
		return broken(err)
	}
	parsed, err := gocode.Parse(f.path, source)
	if err != nil {
		return broken(err)
	}
	if parsed.Generated {
		return nil
	}
	folder := path.Dir(f.relative)
	pkg, ok, err := r.modules.ImportPath(filepath.Dir(f.path))
	if err != nil {
		return err
	}
	if !ok {
		pkg = folder
	}
	for _, function := range parsed.Functions {
		if len(function.Code) < minCodeBytes || strings.Count(function.Code, "\n")+1 < minCodeLines {
			*short++
			continue
		}
		if err := yield(r.unit(f, pkg, folder, function)); err != nil {
			return err
		}
	}
	return nil
}

func (r *functionReader) unit(f file, pkg, folder string, function gocode.Function) unit {
	u := unit{
		id: pkg + "." + function.Name, name: function.Name,
		document: f.relative, folder: folder, pkg: pkg, file: f.path, line: function.Line,
		text: function.Code, whole: function.Source,
		query: gocode.WithoutName(function.Doc, function.BaseName()),
	}
	if r.ids[u.id]++; r.ids[u.id] > 1 {
		u.id += fmt.Sprintf("#%d", r.ids[u.id])
	}
	if function.Exported {
		u.sentence = gocode.WithoutName(function.FirstSentence(), function.BaseName())
	}
	u.usable = wordCount(u.query) >= minCommentWords && len(u.text) >= minPairCodeBytes && !function.Deprecated
	return u
}

func wordCount(text string) int { return len(strings.Fields(text)) }

// checkLines returns an error that names the first line of content that is not UTF-8.
func checkLines(name string, content []byte) error {
	line := 1
	for text := range strings.Lines(string(content)) {
		if err := jsonl.CheckUTF8([]byte(text)); err != nil {
			return fmt.Errorf("%s:%d: %w", name, line, err)
		}
		line++
	}
	return nil
}
