package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// place is where a key was set: a line of the file, or an override.
type place struct {
	file  string
	line  int
	given string // how the override was given, --set key=value; empty for a line of the file
	key   string // the key of the override
}

// places maps each key that was set to where that was (the last time).
type places map[string]place

func (p place) String() string {
	if p.given != "" {
		return p.given
	}
	return fmt.Sprintf("%s:%d", p.file, p.line)
}

// Problem is one mistake in a configuration.
type Problem struct {
	at   place
	key  string
	what string // found …, expected …
}

// Error renders the mistake as one line: file.yaml:LINE: key: found …, expected ….
func (p Problem) Error() string {
	if p.key == "" || (p.at.given != "" && p.at.key == p.key) {
		return fmt.Sprintf("%s: %s", p.at, p.what)
	}
	return fmt.Sprintf("%s: %s: %s", p.at, p.key, p.what)
}

// Problems are all mistakes of a configuration, those of the file by line, then those of overrides.
type Problems []Problem

// Error renders a line a mistake.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Error()
	}
	return strings.Join(lines, "\n")
}

// InFile reports whether any of the mistakes is in the file, not in an override.
func (p Problems) InFile() bool {
	return slices.ContainsFunc(p, func(problem Problem) bool { return problem.at.given == "" })
}

// err returns the problems in order of the file as an error, or nil where there are none.
func (p Problems) err() error {
	if len(p) == 0 {
		return nil
	}
	slices.SortStableFunc(p, func(a, b Problem) int {
		if isOverride := cmp.Compare(len(a.at.given), 0) - cmp.Compare(len(b.at.given), 0); isOverride != 0 {
			return isOverride
		}
		return cmp.Compare(a.at.line, b.at.line)
	})
	return p
}
