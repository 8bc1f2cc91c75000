package reproduce

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"revela/internal/atomicfile"
)

// recordFile is where an experiment's folder notes which steps are done.
const recordFile = "reproduce.json"

// Record is what an experiment's folder says about its steps.
type Record struct {
	Experiment string `json:"experiment"`
	Version    string `json:"version"` // of the program that did the last step
	Steps      []Done `json:"steps"`

	path string
}

// Done is a step that was finished.
type Done struct {
	Name    string   `json:"name"`
	Command []string `json:"command"`
	Seconds float64  `json:"seconds"`
}

// OpenRecord reads the record of a plan's folder; an empty one where there is none.
func (p *Plan) OpenRecord() (*Record, error) {
	r := &Record{path: filepath.Join(p.Folder, recordFile)}
	content, err := os.ReadFile(r.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("read the record of steps: %w", err)
	default:
		if err := json.Unmarshal(content, r); err != nil {
			return nil, fmt.Errorf("read the record of steps: %s: %w", r.path, err)
		}
	}
	r.Experiment = p.Name
	return r, nil
}

// Has reports whether a step was finished by the same command, and what it wrote is there.
func (r *Record) Has(s Step) bool {
	if s.Output == "" {
		return false
	}
	if _, err := os.Stat(s.Output); err != nil {
		return false
	}
	return slices.ContainsFunc(r.Steps, func(d Done) bool { return slices.Equal(d.Command, s.Args) })
}

// Keep drops all but the given steps: what comes after them is done anew.
func (r *Record) Keep(steps []Step) {
	r.Steps = slices.DeleteFunc(r.Steps, func(d Done) bool {
		return !slices.ContainsFunc(steps, func(s Step) bool { return slices.Equal(s.Args, d.Command) })
	})
}

// Add notes a step that is done, on disk.
func (r *Record) Add(s Step, seconds float64, version string) error {
	r.Version = version
	r.Steps = append(r.Steps, Done{s.Name, s.Args, seconds})
	content, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("note the finished step: %w", err)
	}
	return atomicfile.WriteBytes(r.path, append(content, '\n'))
}
