package prepare

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"revela/data/source"
	"revela/data/treecode"

	"github.com/bmatcuk/doublestar/v4"
)

// file is one input.
type file struct {
	path     string // as reached from the input that names it
	relative string // to the input folder, with slashes: the same on every machine
	format   source.Format
}

// inputs finds the files of all input entries, each once, in the order of the entries and of their names.
type inputs struct {
	unit     string
	excluded []string
	seen     map[string]bool
	files    []file
	skipped  map[string]int // extension → files in folders that cannot be read
	bytes    int64          // of all files
}

func findInputs(opt Options) (*inputs, error) {
	in := &inputs{unit: opt.Unit, seen: map[string]bool{}, skipped: map[string]int{}}
	var entries []string
	for _, entry := range opt.Input {
		if excluded, not := strings.CutPrefix(entry, "!"); not {
			in.excluded = append(in.excluded, filepath.Clean(excluded))
		} else {
			entries = append(entries, entry)
		}
	}
	for _, entry := range entries {
		if err := in.add(entry); err != nil {
			return nil, err
		}
	}
	if len(in.files) == 0 {
		return nil, fmt.Errorf("prepare.input: no file to read in %s, expected %s", strings.Join(opt.Input, ", "), in.expected())
	}
	return in, nil
}

func (in *inputs) expected() string {
	if in.unit == Functions {
		return "source code in Go, Python, JavaScript, TypeScript, Java, Rust, C, C++, Ruby or PHP with unit: functions"
	}
	return source.Expected
}

// add takes one entry: a file, a folder or a glob, in which ** stands for any folders.
func (in *inputs) add(entry string) error {
	paths := []string{filepath.Clean(entry)}
	if _, err := os.Stat(entry); errors.Is(err, fs.ErrNotExist) {
		matches, err := doublestar.FilepathGlob(entry)
		if err != nil {
			return fmt.Errorf("prepare.input: glob %s: %w", entry, err)
		}
		slices.Sort(matches)
		if len(matches) == 0 {
			return fmt.Errorf("prepare.input: %s: no such file or folder, and no file fits it as a glob", entry)
		}
		paths = matches
	}
	for _, path := range paths {
		if err := in.addPath(path); err != nil {
			return err
		}
	}
	return nil
}

func (in *inputs) addPath(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("prepare.input: %w", err)
	}
	if info.IsDir() {
		return in.addFolder(path)
	}
	format, ok := in.readable(path)
	if !ok {
		return fmt.Errorf("prepare.input: %s: cannot read %q files, expected %s", path, filepath.Ext(source.TrimCompression(path)), in.expected())
	}
	in.addFile(file{path: path, relative: filepath.Base(path), format: format})
	return nil
}

func (in *inputs) addFolder(root string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("prepare.input: %w", err)
		}
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return fmt.Errorf("prepare.input: %w", err)
		}
		if !entry.IsDir() {
			in.addEntry(path, filepath.ToSlash(relative), entry)
			return nil
		}
		if path != root && (in.skipFolder(entry.Name()) || in.isExcluded(path)) {
			return filepath.SkipDir
		}
		if corpus := corpusOf(path); corpus != "" && in.unit != Functions {
			in.addEntry(corpus, filepath.ToSlash(filepath.Join(relative, filepath.Base(corpus))), entry)
			return filepath.SkipDir
		}
		return nil
	})
}

// addEntry takes a file of a folder, or counts it as skipped.
func (in *inputs) addEntry(path, relative string, entry fs.DirEntry) {
	format, ok := in.readable(path)
	if !ok || in.unit == Functions && format == source.Code && besideGo(path) {
		in.skipped[filepath.Ext(path)]++
		return
	}
	in.addFile(file{path: path, relative: relative, format: format})
}

// corpusOf returns the documents of a folder in BEIR layout, whose queries and judgements are no text to train on; "" for
// other folders.
func corpusOf(dir string) string {
	if _, err := os.Stat(filepath.Join(dir, "qrels")); err != nil {
		return ""
	}
	for _, name := range []string{"corpus.jsonl", "corpus.jsonl.gz", "corpus.jsonl.zst", "corpus.parquet"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && !info.IsDir() {
			return filepath.Join(dir, name)
		}
	}
	return ""
}

// besideGo tells whether a file of another language is a part of a Go package, as C called from Go is.
func besideGo(path string) bool {
	matches, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*.go"))
	return err == nil && len(matches) > 0
}

func (in *inputs) readable(path string) (format source.Format, ok bool) {
	format, ok = source.FormatOf(path)
	if in.unit == Functions && format == source.Code {
		name := source.TrimCompression(path)
		return format, treecode.Known(name) && treecode.Selected(name)
	}
	return format, ok && (in.unit != Functions || format == source.Go)
}

func (in *inputs) skipFolder(name string) bool {
	if in.unit == Functions {
		return treecode.SkippedFolder(name)
	}
	return strings.HasPrefix(name, ".")
}

// isExcluded tells whether a "!" entry names the path.
func (in *inputs) isExcluded(path string) bool {
	return slices.ContainsFunc(in.excluded, func(pattern string) bool {
		fits, err := doublestar.PathMatch(pattern, path)
		return path == pattern || err == nil && fits
	})
}

func (in *inputs) addFile(f file) {
	if !in.seen[f.path] && !in.isExcluded(f.path) {
		in.seen[f.path] = true
		if info, err := os.Stat(f.path); err == nil {
			in.bytes += info.Size()
		}
		in.files = append(in.files, f)
	}
}
