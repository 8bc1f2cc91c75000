package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// place is where a key was set: a line of the file, or a --set override.
type place struct {
	file string
	line int
	set  string // the override as it was given; empty for a line of the file
	key  string // the key of the override
}

// places maps each key that was set to where that was (the last time).
type places map[string]place

func (p place) String() string {
	if p.set != "" {
		return "--set " + p.set
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
	if p.key == "" || (p.at.set != "" && p.at.key == p.key) {
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

// err returns the problems in order of the file as an error, or nil where there are none.
func (p Problems) err() error {
	if len(p) == 0 {
		return nil
	}
	slices.SortStableFunc(p, func(a, b Problem) int {
		if inSet := cmp.Compare(len(a.at.set), 0) - cmp.Compare(len(b.at.set), 0); inSet != 0 {
			return inSet
		}
		return cmp.Compare(a.at.line, b.at.line)
	})
	return p
}
