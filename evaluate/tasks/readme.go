package tasks

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"gopkg.in/yaml.v3"
)

// configurations are what the README.md of a data set says of its files: configuration → split → patterns. It is how the
// hub's own tools find them (docs: "Manual configuration").
type configurations map[string][]dataFiles

type dataFiles struct {
	split    string // "": not said
	patterns []string
}

// readConfigurations reads the YAML between the first two lines --- of a README.md; nil where it says nothing of files.
func readConfigurations(readme []byte) (configurations, error) {
	rest, ok := bytes.CutPrefix(bytes.ReplaceAll(readme, []byte("\r\n"), []byte("\n")), []byte("---\n"))
	if !ok {
		return nil, nil
	}
	front, _, ok := bytes.Cut(rest, []byte("\n---"))
	if !ok {
		return nil, nil
	}
	var card struct {
		Configs []struct {
			Name    string    `yaml:"config_name"`
			Files   yaml.Node `yaml:"data_files"`
			DataDir string    `yaml:"data_dir"`
		} `yaml:"configs"`
	}
	if err := yaml.Unmarshal(front, &card); err != nil {
		return nil, fmt.Errorf("the YAML in README.md: %w", err)
	}
	var all configurations
	for _, c := range card.Configs {
		files, err := readDataFiles(&c.Files)
		if err != nil {
			return nil, fmt.Errorf("the YAML in README.md: data_files of %s: %w", c.Name, err)
		}
		for i := range files {
			for j, pattern := range files[i].patterns {
				files[i].patterns[j] = path.Join(c.DataDir, pattern)
			}
		}
		if all == nil {
			all = configurations{}
		}
		all[c.Name] = files
	}
	return all, nil
}

// readDataFiles reads a pattern, a list of patterns, or a list of splits with theirs.
func readDataFiles(node *yaml.Node) ([]dataFiles, error) {
	if node.Kind == 0 {
		return nil, nil
	}
	var patterns patternList
	if err := node.Decode(&patterns); err == nil {
		return []dataFiles{{patterns: patterns}}, nil
	}
	var splits []struct {
		Split string      `yaml:"split"`
		Path  patternList `yaml:"path"`
	}
	if err := node.Decode(&splits); err != nil {
		return nil, fmt.Errorf("found another form than patterns, or splits with their patterns")
	}
	var files []dataFiles
	for _, s := range splits {
		files = append(files, dataFiles{s.Split, s.Path})
	}
	return files, nil
}

// patternList is a pattern or a list of them.
type patternList []string

// UnmarshalYAML implements yaml.Unmarshaler.
func (p *patternList) UnmarshalYAML(node *yaml.Node) error {
	var one string
	if node.Kind == yaml.ScalarNode {
		*p = patternList{one}
		return node.Decode(&(*p)[0])
	}
	return node.Decode((*[]string)(p))
}

// patterns returns those of a configuration's split: as mteb's loader takes them, the named split, else the only one.
func (c configurations) patterns(config, split string) ([]string, error) {
	files, ok := c[config]
	if !ok {
		return nil, fmt.Errorf("the data set has no configuration %q", config)
	}
	var names []string
	for _, f := range files {
		if f.split == split || f.split == "" {
			return f.patterns, nil
		}
		names = append(names, f.split)
	}
	if len(files) == 1 {
		return files[0].patterns, nil
	}
	return nil, fmt.Errorf("configuration %q has no split %q, expected one of: %s", config, split, strings.Join(names, ", "))
}

// match returns the files that a list of patterns names, sorted.
func match(files, patterns []string) []string {
	var matched []string
	for _, pattern := range patterns {
		for _, f := range files {
			if ok, err := doublestar.Match(path.Clean(pattern), f); err == nil && ok && isData(f) {
				matched = append(matched, f)
			}
		}
	}
	slices.Sort(matched)
	return slices.Compact(matched)
}

// isData reports whether a file holds records in a form that is read.
func isData(file string) bool {
	name := strings.TrimSuffix(strings.TrimSuffix(file, ".gz"), ".zst")
	switch path.Ext(name) {
	case ".jsonl", ".tsv", ".parquet":
		return true
	}
	return false
}
