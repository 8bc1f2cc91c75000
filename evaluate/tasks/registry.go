// Package tasks knows public benchmarks: which tasks they have, where the data is, by which rules it is scored and what
// was published. All of it is data, in registry.yaml; the package finds the files of a task (in the hub's cache, in a
// folder in BEIR layout or in a mirror on disk), reads them at exactly the registry's revision, and gives an
// [evaluate.Collection] that carries the task's rules.
package tasks

import (
	"bytes"
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"gopkg.in/yaml.v3"

	"revela/evaluate"
)

//go:embed registry.yaml
var registryFile []byte

// Registry is the content of registry.yaml.
type Registry struct {
	Join      string      `yaml:"join"`
	Metric    string      `yaml:"metric"`
	Suites    []Suite     `yaml:"suites"`
	Groups    []Group     `yaml:"groups"`
	Tasks     []Task      `yaml:"tasks"`
	Published []Published `yaml:"published"`
}

// Suite is a benchmark: the mean of its tasks and groups.
type Suite struct {
	Name  string   `yaml:"name"`
	Title string   `yaml:"title"`
	Of    []string `yaml:"of"`
}

// Group is a task of several parts: the mean of its parts.
type Group struct {
	Name string   `yaml:"name"`
	Task string   `yaml:"task"` // mteb's name
	Of   []string `yaml:"of"`
}

// Task is a collection and the rules of scoring it.
type Task struct {
	Name            string `yaml:"name" json:"name"`
	Task            string `yaml:"task" json:"task"` // mteb's name
	Location        `yaml:",inline"`
	Paper           *Location `yaml:"paper" json:"paper,omitempty"` // nil: as Location
	Layout          Layout    `yaml:"layout" json:"layout,omitempty"`
	Subset          string    `yaml:"subset" json:"subset,omitempty"`
	Split           string    `yaml:"split" json:"split"`
	Domain          string    `yaml:"domain" json:"domain,omitempty"`
	Folder          string    `yaml:"folder" json:"folder,omitempty"`
	Documents       int       `yaml:"documents" json:"documents"`
	Queries         int       `yaml:"queries" json:"queries"`
	Languages       []string  `yaml:"languages" json:"languages"`
	RemoveIdentical bool      `yaml:"remove_identical" json:"remove_identical"`
	Prompt          string    `yaml:"prompt" json:"prompt,omitempty"`
}

// Location is a data set of the hub.
type Location struct {
	Repository string `yaml:"repository" json:"repository"`
	Revision   string `yaml:"revision" json:"revision"`
}

// Layout says how a repository holds a task.
type Layout string

// The layouts; see registry.yaml.
const (
	BEIR       Layout = ""
	BRIGHT     Layout = "bright"
	BRIGHTLong Layout = "bright-long"
)

// Published are the scores of a system that somebody reports, by name of task, group or suite.
type Published struct {
	System string             `yaml:"system"`
	Source string             `yaml:"source"`
	Note   string             `yaml:"note"`
	Scores map[string]float64 `yaml:"scores"`
}

// Load returns the registry.
func Load() (*Registry, error) { return load() }

var load = sync.OnceValues(func() (*Registry, error) { return parse(registryFile) })

func parse(content []byte) (*Registry, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	r := &Registry{}
	if err := decoder.Decode(r); err != nil {
		return nil, fmt.Errorf("read the registry of tasks: %w", err)
	}
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("read the registry of tasks: %w", err)
	}
	return r, nil
}

var commitHash = regexp.MustCompile(`^[0-9a-f]{40}$`)

// check demands that names are unique and known where they are used, and that a task has what reading it takes.
func (r *Registry) check() error {
	known := map[string]bool{}
	add := func(name string, of []string) error {
		if known[name] || name == "" {
			return fmt.Errorf("name %q is used twice or empty", name)
		}
		known[name] = true
		for _, part := range of {
			if !known[part] {
				return fmt.Errorf("%s: unknown part %q", name, part)
			}
		}
		return nil
	}
	for _, t := range r.Tasks {
		if err := add(t.Name, nil); err != nil {
			return err
		}
		if err := t.check(); err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
	}
	for _, g := range r.Groups {
		if err := add(g.Name, g.Of); err != nil {
			return err
		}
	}
	for _, s := range r.Suites {
		if err := add(s.Name, s.Of); err != nil {
			return err
		}
	}
	for _, p := range r.Published {
		for name, score := range p.Scores {
			if !known[name] || score < 0 || score > 1 {
				return fmt.Errorf("published scores of %s: %q has %v", p.System, name, score)
			}
		}
	}
	return nil
}

func (t *Task) check() error {
	locations := []Location{t.Location}
	if t.Paper != nil {
		locations = append(locations, *t.Paper)
	}
	for _, l := range locations {
		if !strings.Contains(l.Repository, "/") || !commitHash.MatchString(l.Revision) {
			return fmt.Errorf("repository %q at revision %q, expected org/name and a commit", l.Repository, l.Revision)
		}
	}
	switch {
	case !slices.Contains([]Layout{BEIR, BRIGHT, BRIGHTLong}, t.Layout):
		return fmt.Errorf("layout %q", t.Layout)
	case t.Layout != BEIR && t.Domain == "":
		return fmt.Errorf("layout %s without a domain", t.Layout)
	case t.Split == "" || t.Task == "" || t.Documents <= 0 || t.Queries <= 0:
		return fmt.Errorf("split, task, documents and queries are all needed")
	}
	return nil
}

// location is where a protocol's data is.
func (t *Task) location(protocol string) Location {
	if protocol == ProtocolPaper && t.Paper != nil {
		return *t.Paper
	}
	return t.Location
}

// PublishedScores returns what was published for a task, group or suite.
func (r *Registry) PublishedScores(name string) []evaluate.Published {
	var list []evaluate.Published
	for _, p := range r.Published {
		if score, ok := p.Scores[name]; ok {
			list = append(list, evaluate.Published{System: p.System, Source: p.Source, Scores: map[string]float64{r.Metric: score}})
		}
	}
	return list
}
