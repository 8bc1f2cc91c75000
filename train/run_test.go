package train

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"revela/config"
	"revela/internal/fixture"
	"revela/model"
	"revela/torch"
)

// tiny is a configuration of a short run of the fixtures' smallest models: what is added to its sections, and more YAML.
type tiny struct {
	retriever, lm, objective, data, train, more string
	precision                                   string // fp32 where it is empty
}

// texts are the groups of a fixture.
func texts(t *testing.T) [][]string {
	t.Helper()
	var groups [][]string
	fixture.ReadJSON(t, &groups, "lora-steps-llama", "groups.json")
	return groups
}

func (c tiny) config(t *testing.T, output string) *config.Config {
	t.Helper()
	data := c.data
	if !strings.Contains(data, "groups:") {
		data += fmt.Sprintf(", groups: [%s]", groupsOf(t))
	}
	part := func(name, extra string) string {
		return fmt.Sprintf("{checkpoint: %s%s}", fixture.Path(t, "tiny-llama", name), extra)
	}
	return parse(t, fmt.Sprintf("output: %s\nprecision: %s\nretriever: %s\nlm: %s\nobjective: {temperature: 0.05%s}\n"+
		"data: {max_length: 29%s}\ntrain: {warmup_steps: 2, groups_per_step: 2, learning_rate: 0.003%s}\n%s",
		output, cmp.Or(c.precision, "fp32"), part("retriever", ", max_length: 30"+c.retriever), part("lm", c.lm), c.objective, data, c.train, c.more))
}

var sharedGroups string

// groupsOf writes the groups once: a resumed run must find the same file.
func groupsOf(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat(sharedGroups); err != nil {
		dir, err := os.MkdirTemp("", "groups")
		if err != nil {
			t.Fatal(err)
		}
		sharedGroups = filepath.Join(dir, "groups.jsonl")
		if err := os.Rename(writeGroups(t, texts(t)), sharedGroups); err != nil {
			t.Fatal(err)
		}
	}
	return sharedGroups
}

func TestMain(m *testing.M) {
	code := m.Run()
	if sharedGroups != "" {
		os.RemoveAll(filepath.Dir(sharedGroups))
	}
	os.Exit(code)
}

// timeless drops from metrics what differs from run to run.
func timeless(all []Metrics) []Metrics {
	for i := range all {
		all[i].Seconds, all[i].TokensPerSecond, all[i].ResidentBytes = 0, 0, 0
	}
	return all
}

const withLoRA = ", lora: {rank: 4, alpha: 8, dropout: 0.2}"

// A finished run is reported, not repeated; one that was stopped between its last checkpoint and the model writes the model.
func TestFixtureFinishedRun(t *testing.T) {
	output := t.TempDir()
	c := tiny{retriever: withLoRA, lm: withLoRA, train: ", steps: 2, save_every: 0"}
	first := run(t, c.config(t, output))
	if first.Repeated || first.Step != 2 || first.Model != filepath.Join(output, "model") {
		t.Errorf("got %+v", first)
	}
	again := run(t, c.config(t, output))
	if !again.Repeated || again.Step != 2 || again.Model != first.Model {
		t.Errorf("got %+v", again)
	}
	checkpoint := runFolder(output).checkpoint(2)
	state, err := readState(checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	state.Finished = false
	if err := errors.Join(state.write(checkpoint), os.RemoveAll(first.Model)); err != nil {
		t.Fatal(err)
	}
	completed := run(t, c.config(t, output))
	if completed.Repeated || completed.Resumed != 2 || len(readMetrics(t, output)) != 2 {
		t.Errorf("got %+v", completed)
	}
	content(t, output, "model/model.safetensors")
}

// Checkpoints load again as what they are: PEFT folders, or whole models in HuggingFace's layout.
func TestFixtureCheckpointFolders(t *testing.T) {
	output := t.TempDir()
	run(t, tiny{lm: withLoRA, train: ", steps: 5, save_every: 2, keep_checkpoints: 2"}.config(t, output))
	steps, err := runFolder(output).checkpoints()
	if err != nil || !reflect.DeepEqual(steps, []int{4, 5}) {
		t.Errorf("checkpoints after the steps %v, %v", steps, err)
	}
	dir := runFolder(output).checkpoint(5)
	n, err := model.Load(filepath.Join(dir, "retriever"), model.Options{Compute: torch.Float32})
	if err != nil {
		t.Fatal(err)
	}
	n.Free()
	lm, err := model.LoadLanguageModel(fixture.Path(t, "tiny-llama", "lm"), model.Options{Compute: torch.Float32})
	if err != nil {
		t.Fatal(err)
	}
	defer lm.Free()
	if o, err := model.LoadAdapter(lm, filepath.Join(dir, "lm"), false); err != nil || o.Rank != 4 || o.Dropout != 0.2 {
		t.Errorf("got %+v, %v", o, err)
	}
	requireSameTensors(t, filepath.Join(output, "model", "model.safetensors"), filepath.Join(dir, "retriever", "model.safetensors"), 0)
}

// average_with_start writes start·a + trained·(1 − a), and checkpoints hold the trained weights.
func TestFixtureAverageWithStart(t *testing.T) {
	output := t.TempDir()
	run(t, tiny{retriever: ", average_with_start: 0.25", lm: withLoRA, train: ", steps: 3"}.config(t, output))
	trained := readTensors(t, filepath.Join(runFolder(output).checkpoint(3), "retriever", "model.safetensors"))
	start := readTensors(t, fixture.Path(t, "tiny-llama", "retriever", "model.safetensors"))
	moved := 0.0
	for name, got := range readTensors(t, filepath.Join(output, "model", "model.safetensors")) {
		from := start["model."+name]
		if from == nil {
			from = start[name]
		}
		want := make([]float64, len(got))
		for i := range want {
			want[i] = 0.25*from[i] + 0.75*trained[name][i]
			moved = math.Max(moved, math.Abs(trained[name][i]-from[i]))
		}
		if d := fixture.Difference(t, got, want); d > 1e-7 {
			t.Errorf("%s differs by %g", name, d)
		}
	}
	if moved < 1e-3 {
		t.Errorf("training moved the weights by %g at most", moved)
	}
}

// A step of training holds no more memory than the one before.
func TestFixtureMemoryFlat(t *testing.T) {
	var resident []int64
	_, err := Run(context.Background(), tiny{retriever: withLoRA, lm: withLoRA, train: ", steps: 400, save_every: 0"}.config(t, t.TempDir()),
		RunOptions{Step: func(m Metrics, _ int) { resident = append(resident, m.ResidentBytes) }})
	if err != nil {
		t.Fatal(err)
	}
	grown := resident[399] - resident[99]
	t.Logf("%d bytes resident after 100 steps, %d more after 400", resident[99], grown)
	if grown > 8<<20 {
		t.Errorf("resident memory grew by %d bytes in 300 steps", grown)
	}
}

// config.yaml of a run can be given to a run again, and has no auto left where the run decided.
func TestFixtureRecord(t *testing.T) {
	output := t.TempDir()
	c := tiny{retriever: withLoRA, lm: withLoRA, train: ", steps: 1"}.config(t, output)
	run(t, c)
	again, err := config.Load(filepath.Join(output, configFile), nil)
	if err != nil {
		t.Fatal(err)
	}
	if again.Retriever.Pooling != "eos" || again.Retriever.AppendEOS != config.On || again.Device != "cpu" {
		t.Errorf("got %+v", again.Retriever)
	}
	if summary := run(t, again); !summary.Repeated {
		t.Errorf("got %+v", summary)
	}
	text := string(content(t, output, configFile))
	for _, want := range []string{"# Written by revela test, gotch ", "groups.jsonl\n", "tiny-llama/retriever/model.safetensors\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	var keys map[string]any
	line, _, _ := strings.Cut(string(content(t, output, metricsFile)), "\n")
	if err := json.Unmarshal([]byte(line), &keys); err != nil || len(keys) != 12 {
		t.Errorf("%v: %s", err, line)
	}
}
