package prepare

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"revela/data/gocode"

	"github.com/bmatcuk/doublestar/v4"
)

// file is one input.
type file struct {
	path     string // as reached from the input that names it
	relative string // to the input folder, with slashes: the same on every machine
	format   string // formatText | formatGo | formatLines
}

const (
	formatText  = "text"
	formatGo    = "Go source"
	formatLines = "JSON Lines"
)

// textExtensions are those of text, Markdown and source code.
var textExtensions = strings.Fields(`.txt .text .md .markdown .rst .py .c .h .cc .cpp .cxx .hh .hpp .java .js .jsx .ts .tsx
	.rs .rb .php .cs .swift .kt .scala .lua .pl .r .jl .sh .sql .proto .hs .ml .ex .erl .clj .m .zig .s`)

// formatOf tells how a file is read; ok is false for what cannot be read.
func formatOf(path string) (format string, ok bool) {
	name := strings.ToLower(filepath.Base(path))
	switch extension := filepath.Ext(name); {
	case extension == ".go":
		return formatGo, true
	case strings.HasSuffix(trimCompression(name), ".jsonl"):
		return formatLines, true
	default:
		return formatText, slices.Contains(textExtensions, extension)
	}
}

// inputs finds the files of all input entries, each once, in the order of the entries and of their names.
type inputs struct {
	unit     string
	excluded []string
	seen     map[string]bool
	files    []file
	skipped  map[string]int // extension → files in folders that cannot be read
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
		return "Go source (.go) with unit: functions"
	}
	return "text, Markdown, source code or JSON Lines (.jsonl, .jsonl.gz, .jsonl.zst)"
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
		return fmt.Errorf("prepare.input: %s: cannot read %q files, expected %s", path, filepath.Ext(trimCompression(path)), in.expected())
	}
	in.addFile(file{path: path, relative: filepath.Base(path), format: format})
	return nil
}

func (in *inputs) addFolder(root string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("prepare.input: %w", err)
		}
		if entry.IsDir() {
			if path != root && (in.skipFolder(entry.Name()) || in.isExcluded(path)) {
				return filepath.SkipDir
			}
			return nil
		}
		format, ok := in.readable(path)
		if !ok {
			in.skipped[filepath.Ext(path)]++
			return nil
		}
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return fmt.Errorf("prepare.input: %w", err)
		}
		in.addFile(file{path: path, relative: filepath.ToSlash(relative), format: format})
		return nil
	})
}

func (in *inputs) readable(path string) (format string, ok bool) {
	format, ok = formatOf(path)
	return format, ok && (in.unit != Functions || format == formatGo)
}

func (in *inputs) skipFolder(name string) bool {
	if in.unit == Functions {
		return gocode.SkippedFolder(name)
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
		in.files = append(in.files, f)
	}
}
