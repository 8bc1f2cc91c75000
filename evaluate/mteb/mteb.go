// Package mteb writes results in the layout of the Python library mteb and of the repository behind its leaderboard:
// results/<organisation>__<model>/<revision>/<Task>.json, with model_meta.json beside them. The field names are those of
// mteb 2 (mteb/results/task_result.py, mteb/models/model_meta.py), whose loader reads the files.
package mteb

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"revela/internal/atomicfile"
)

// Task is what a model gave on a task.
type Task struct {
	Name      string
	Revision  string // of the data set
	Split     string
	Subset    string   // mteb's hf_subset
	Languages []string // such as eng-Latn
	Scores    map[string]float64
	Main      string // which of the scores is the main one
	Seconds   float64
	When      time.Time
}

// Model is what model_meta.json says; numbers that are 0 and empty texts are written as unknown.
type Model struct {
	Name       string // organisation/name
	Revision   string
	Parameters int64
	Bytes      int64 // of the weights in memory
	MaxTokens  int
	Dim        int
	Similarity string // cosine or dot
	Frameworks []string
	Prompts    bool // texts get a prompt
	Sparse     bool
}

// Write writes a task's file and the model's below root, which is the folder that mteb calls its cache. Other subsets
// and splits of the same task that are there already stay in the file.
func Write(root string, m Model, t Task) error {
	if _, ok := t.Scores[t.Main]; !ok {
		return fmt.Errorf("write mteb's file of %s: no score %q", t.Name, t.Main)
	}
	dir := filepath.Join(root, "results", fileName(m.Name), fileName(m.Revision))
	if err := write(filepath.Join(dir, "model_meta.json"), m.fields()); err != nil {
		return err
	}
	path := filepath.Join(dir, fileName(t.Name)+".json")
	scores, err := t.others(path)
	if err != nil {
		return err
	}
	scores[t.Split] = append(scores[t.Split], t.entry())
	return write(path, t.fields(scores))
}

// scoresBySplit is a list of subsets' scores a split.
type scoresBySplit map[string][]map[string]any

// others reads what the file has of the same data beside t's subset and split.
func (t Task) others(path string) (scoresBySplit, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return scoresBySplit{}, nil
	}
	if err != nil {
		return nil, err
	}
	var file struct {
		Revision string        `json:"dataset_revision"`
		Scores   scoresBySplit `json:"scores"`
	}
	if err := json.Unmarshal(content, &file); err != nil {
		return nil, fmt.Errorf("%s: expected mteb's results of a task: %w", path, err)
	}
	if file.Revision != t.Revision || file.Scores == nil {
		return scoresBySplit{}, nil
	}
	file.Scores[t.Split] = slices.DeleteFunc(file.Scores[t.Split], func(entry map[string]any) bool {
		return entry["hf_subset"] == t.Subset
	})
	return file.Scores, nil
}

// fileName is mteb's way to make a file's name of a model's.
func fileName(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "/", "__"), " ", "_")
}

func (t Task) entry() map[string]any {
	entry := map[string]any{"main_score": t.Scores[t.Main], "hf_subset": t.Subset, "languages": notNil(t.Languages)}
	for name, value := range t.Scores {
		entry[name] = value
	}
	return entry
}

func (t Task) fields(scores scoresBySplit) map[string]any {
	return map[string]any{
		"dataset_revision": t.Revision,
		"task_name":        t.Name,
		"mteb_version":     nil, // not measured by mteb
		"scores":           scores,
		"evaluation_time":  t.Seconds,
		"kg_co2_emissions": nil,
		"date":             float64(t.When.Unix()),
	}
}

func (m Model) fields() map[string]any {
	kind := "dense"
	if m.Sparse {
		kind = "sparse"
	}
	return map[string]any{
		"loader": nil, "loader_kwargs": map[string]any{}, "name": m.Name, "revision": m.Revision, "release_date": nil,
		"languages": nil, "n_parameters": known(m.Parameters), "memory_usage_mb": known(m.Bytes / (1 << 20)),
		"max_tokens": known(int64(m.MaxTokens)), "embed_dim": known(int64(m.Dim)), "license": nil, "open_weights": nil,
		"public_training_code": nil, "public_training_data": nil, "framework": notNil(m.Frameworks), "reference": nil,
		"similarity_fn_name": knownText(m.Similarity), "use_instructions": m.Prompts, "training_datasets": nil,
		"adapted_from": nil, "superseded_by": nil, "modalities": []string{"text"}, "model_type": []string{kind},
	}
}

func known(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}

func knownText(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func notNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func write(path string, value any) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(value)
	})
}
