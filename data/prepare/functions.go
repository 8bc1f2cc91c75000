package prepare

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"revela/data/gocode"
	"revela/data/source"
	"revela/data/treecode"
)

// What a function needs to be a unit, and to be a pair of comment and code to train on.
const (
	minCodeLines     = 3
	minCodeBytes     = 60
	minPairCodeBytes = 80
	minCommentWords  = 5
)

// functionReader turns source code into units. It is used by one goroutine.
type functionReader struct{ modules gocode.Modules }

// read yields the functions of one file. Tests and generated code have none, nor have Go files that are not for Linux on
// x86-64 (see gocode.Selected); short functions are passed over and counted.
func (r *functionReader) read(f file, yield func(unit) error, short *int) error {
	functions, err := parseFunctions(f)
	if err != nil || len(functions) == 0 {
		return err
	}
	folder := path.Dir(f.relative)
	pkg := folder
	if f.format == source.Go {
		importPath, ok, err := r.modules.ImportPath(filepath.Dir(f.path))
		if err != nil {
			return err
		}
		if ok {
			pkg = importPath
		}
	}
	for _, function := range functions {
		if len(function.Code) < minCodeBytes || strings.Count(function.Code, "\n")+1 < minCodeLines {
			*short++
			continue
		}
		if err := yield(functionUnit(f, pkg, folder, function)); err != nil {
			return err
		}
	}
	return nil
}

// parseFunctions returns the functions of a file; none where it is not to be read.
func parseFunctions(f file) ([]gocode.Function, error) {
	if f.format == source.Go {
		selected, err := gocode.Selected(f.path)
		if err != nil {
			return nil, source.Broken{Err: err}
		}
		if !selected {
			return nil, nil
		}
	}
	content, err := source.ReadFile(f.path)
	if err != nil {
		return nil, fmt.Errorf("read input: %w", err)
	}
	if err := source.CheckLines(f.path, content); err != nil {
		return nil, source.Broken{Err: err}
	}
	if f.format != source.Go {
		return treecode.Parse(source.TrimCompression(f.path), content)
	}
	parsed, err := gocode.Parse(f.path, content)
	if err != nil {
		return nil, source.Broken{Err: err}
	}
	if parsed.Generated {
		return nil, nil
	}
	return parsed.Functions, nil
}

func functionUnit(f file, pkg, folder string, function gocode.Function) unit {
	u := unit{
		id: idOf(pkg + "." + function.Name), name: function.Name,
		document: f.relative, folder: folder, pkg: pkg, file: f.path, line: function.Line,
		text: function.Code, whole: function.Source,
		query: gocode.WithoutName(function.Doc, function.BaseName()),
	}
	if function.Exported {
		u.sentence = gocode.WithoutName(function.FirstSentence(), function.BaseName())
	}
	u.usable = wordCount(u.query) >= minCommentWords && len(u.text) >= minPairCodeBytes && !function.Deprecated
	return u
}

func wordCount(text string) int { return len(strings.Fields(text)) }
