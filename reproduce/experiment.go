// Package reproduce repeats experiments of the Revela paper (arXiv 2506.16552): which there are, the commands that repeat one,
// and how what was measured compares with what was published.
//
// An experiment is data: a YAML file per training corpus (configs/reproduce) names an ordinary configuration, what each training
// changes in it, and what of the paper's tables is measured with the trained model. [NewPlan] turns an experiment into commands
// of the program; [Compare] holds the results against the published scores.
package reproduce

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Corpus is a file of experiments whose trainings read the same groups.
type Corpus struct {
	Title     string              `yaml:"title"`
	Note      string              `yaml:"note"`   // what is not as in the paper, or not known; "": nothing
	Config    string              `yaml:"config"` // the configuration that all trainings start from
	Groups    []Dataset           `yaml:"groups"`
	Set       Settings            `yaml:"set"`       // over the configuration, for all trainings
	Pairs     bool                `yaml:"pairs"`     // train on pairs of crops of the groups' texts; see [WritePairs]
	Tolerance Tolerance           `yaml:"tolerance"` // of models that are trained
	Published Tolerance           `yaml:"published"` // of published adapters
	Variants  map[string]Settings `yaml:"variants"`  // twins of every training, which change some keys more
	Trainings []Training          `yaml:"trainings"`
}

// Dataset is a data set of groups on the HuggingFace hub.
type Dataset struct {
	ID       string `yaml:"id"`
	Revision string `yaml:"revision"`
	Number   int    `yaml:"number"` // of groups
}

// Training is a model that is trained, and what is measured with it.
type Training struct {
	Name     string   `yaml:"name"`    // of its run folder
	Set      Settings `yaml:"set"`     // over the corpus's
	Adapter  string   `yaml:"adapter"` // the same model as the authors published it; "": they did not
	Measured []struct {
		Name   string             `yaml:"name"`  // of the experiment
		Table  int                `yaml:"table"` // of the paper
		Suite  string             `yaml:"suite"`
		System string             `yaml:"system"` // whose scores in the registry of tasks it is compared with; "": Scores alone
		Scores map[string]float64 `yaml:"scores"` // published ones that the registry does not have, from 0 to 1
	} `yaml:"measured"`
}

// Tolerance is how far a measured score may lie from the published one, both from 0 to 1.
type Tolerance struct {
	Mean float64 `yaml:"mean"` // of a suite's mean
	Task float64 `yaml:"task"` // of a single task
}

// Experiment is one measurement of a trained model.
type Experiment struct {
	Name    string
	Table   int
	Suite   string
	System  string
	Scores  map[string]float64
	Corpus  *Corpus
	Run     string // name of the training's run folder
	Set     Settings
	Adapter string // "" where none was published
	Variant string // "" for the experiment itself, else the name of the twin
}

// Load reads the experiments of a folder, in the order of its files; each is followed by its twins. Names are unique.
func Load(dir string) ([]Experiment, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return nil, fmt.Errorf("read experiments: %w", err)
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("read experiments: no files %s; the repository's root has them", filepath.Join(dir, "*.yaml"))
	}
	var all []Experiment
	seen := map[string]string{}
	for _, path := range paths {
		corpus, err := readCorpus(path)
		if err != nil {
			return nil, fmt.Errorf("read experiments: %s: %w", path, err)
		}
		for _, e := range corpus.experiments() {
			if other, found := seen[e.Name]; found {
				return nil, fmt.Errorf("read experiments: %s: the name %q is already used in %s", path, e.Name, other)
			}
			seen[e.Name] = path
			all = append(all, e)
		}
	}
	return all, nil
}

// Find returns the experiment of a name.
func Find(all []Experiment, name string) (Experiment, error) {
	for _, e := range all {
		if e.Name == name {
			return e, nil
		}
	}
	return Experiment{}, fmt.Errorf("found the experiment %q, expected one that `revela reproduce` lists", name)
}

func readCorpus(path string) (*Corpus, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	c := &Corpus{}
	if err := decoder.Decode(c); err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.New(strings.Join(strings.Fields(err.Error()), " "))
	}
	return c, c.check()
}

func (c *Corpus) check() error {
	switch {
	case c.Config == "" || c.Title == "":
		return errors.New("config and title are both needed")
	case len(c.Groups) == 0 || len(c.Trainings) == 0:
		return errors.New("groups and trainings are both needed")
	case min(c.Tolerance.Mean, c.Tolerance.Task, c.Published.Mean, c.Published.Task) <= 0:
		return errors.New("tolerance and published need a mean and a task above 0")
	}
	for _, d := range c.Groups {
		if !strings.Contains(d.ID, "/") || d.Revision == "" || d.Number <= 0 {
			return fmt.Errorf("groups: %q at revision %q with %d groups, expected org/name, a revision and a number", d.ID, d.Revision, d.Number)
		}
	}
	for _, t := range c.Trainings {
		for _, m := range t.Measured {
			if t.Name == "" || m.Name == "" || m.Suite == "" || m.Table <= 0 || m.System == "" && len(m.Scores) == 0 {
				return fmt.Errorf("training %q: %q: name, table, suite, and system or scores are needed", t.Name, m.Name)
			}
		}
	}
	return nil
}

// experiments lists what the trainings measure, each followed by its twins.
func (c *Corpus) experiments() []Experiment {
	var all []Experiment
	for _, t := range c.Trainings {
		for _, m := range t.Measured {
			e := Experiment{Name: m.Name, Table: m.Table, Suite: m.Suite, System: m.System, Scores: m.Scores, Corpus: c,
				Run: t.Name, Set: slices.Concat(c.Set, t.Set), Adapter: t.Adapter}
			all = append(all, e)
			for _, variant := range slices.Sorted(maps.Keys(c.Variants)) {
				twin := e
				twin.Name, twin.Run, twin.Variant, twin.Adapter = e.Name+"-"+variant, e.Run+"-"+variant, variant, ""
				twin.Set = slices.Concat(e.Set, c.Variants[variant])
				all = append(all, twin)
			}
		}
	}
	return all
}

// Settings are overrides of configuration keys in the order of the file, as --set takes them: KEY=VALUE.
type Settings []string

// UnmarshalYAML reads a mapping of dotted keys.
func (s *Settings) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: found something else, expected a mapping of configuration keys", n.Line)
	}
	for i := 0; i < len(n.Content); i += 2 {
		value := *n.Content[i+1]
		value.Style, value.LineComment = cmp.Or(value.Style, yaml.FlowStyle), ""
		text, err := yaml.Marshal(&value)
		if err != nil {
			return err
		}
		*s = append(*s, n.Content[i].Value+"="+strings.TrimSpace(string(text)))
	}
	return nil
}
