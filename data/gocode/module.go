package gocode

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Modules finds import paths of folders, and remembers what it found. The zero value is ready for use.
type Modules struct {
	paths map[string]string // absolute folder → import path, "" outside a module
}

// ImportPath returns the import path of the package in a folder: the module's path from the nearest go.mod
// and the folders below it. The modules "std" and "cmd" are Go's own; the first has no path, as in Go's
// tools. ok is false outside a module.
func (m *Modules) ImportPath(dir string) (importPath string, ok bool, err error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", false, fmt.Errorf("find module of %s: %w", dir, err)
	}
	if m.paths == nil {
		m.paths = map[string]string{}
	}
	importPath, err = m.find(abs)
	return importPath, importPath != "", err
}

func (m *Modules) find(dir string) (string, error) {
	if found, known := m.paths[dir]; known {
		return found, nil
	}
	found, err := modulePath(filepath.Join(dir, "go.mod"))
	if parent := filepath.Dir(dir); err == nil && found == "" && parent != dir {
		if found, err = m.find(parent); found != "" {
			found = strings.TrimPrefix(path.Join(found, filepath.Base(dir)), "std/")
		}
	}
	if err != nil {
		return "", err
	}
	m.paths[dir] = found
	return found, nil
}

// modulePath reads the module directive of a go.mod file; "" where there is no such file.
func modulePath(file string) (string, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("find module: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if name, ok := strings.CutPrefix(strings.TrimSpace(lines.Text()), "module "); ok {
			name, _, _ = strings.Cut(name, "//")
			return strings.Trim(strings.TrimSpace(name), `"`), nil
		}
	}
	if err := lines.Err(); err != nil {
		return "", fmt.Errorf("find module: read %s: %w", file, err)
	}
	return "", fmt.Errorf("find module: %s has no module directive", file)
}
