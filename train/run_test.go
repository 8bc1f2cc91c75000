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

// A run that was stopped and continued gives the same losses and the same model, bit for bit, as the unbroken one.
func TestFixtureResume(t *testing.T) {
	for name, c := range map[string]tiny{
		"lora with dropout":       {retriever: withLoRA, lm: withLoRA},
		"in full":                 {},
		"activation checkpoints":  {retriever: withLoRA, lm: withLoRA, train: ", activation_checkpointing: true"},
		"embeddings frozen, bf16": {retriever: ", freeze: embeddings, average_with_start: 0.25", lm: withLoRA, precision: "bf16"},
		"language model first":    {retriever: withLoRA, train: ", lm_only_steps: 2", lm: ", lm_only_learning_rate: 0.002"},
		"frozen language model":   {retriever: withLoRA, lm: ", freeze: true"},
	} {
		t.Run(name, func(t *testing.T) { testResume(t, c) })
	}
}

func testResume(t *testing.T, c tiny) {
	c.train += ", steps: 6, save_every: 3, keep_checkpoints: 9"
	whole, broken := t.TempDir(), t.TempDir()
	run(t, c.config(t, whole))

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	_, err := Run(ctx, c.config(t, broken), RunOptions{Step: func(m Metrics, _ int) {
		if m.Step == 3 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want an interruption", err)
	}
	for range 2 { // what the run would have written after the checkpoint, had it been killed later
		appendLine(t, filepath.Join(broken, metricsFile), `{"step":4,"loss":1}`)
	}
	appendLine(t, filepath.Join(broken, metricsFile), `{"step":5,"lo`)
	summary := run(t, c.config(t, broken))
	if summary.Resumed != 3 || summary.Step != 6 || summary.Model == "" {
		t.Errorf("got %+v", summary)
	}
	got, want := timeless(readMetrics(t, broken)), timeless(readMetrics(t, whole))
	if len(want) != 6 || !reflect.DeepEqual(got, want) {
		t.Errorf("metrics\n got %+v\nwant %+v", got, want)
	}
	if want[0].Loss == want[5].Loss {
		t.Error("the loss never changes")
	}
	for _, file := range []string{"model/model.safetensors", "checkpoints/step-000006/optimizer.safetensors"} {
		if a, b := content(t, broken, file), content(t, whole, file); string(a) != string(b) {
			t.Errorf("%s differs from the unbroken run's", file)
		}
	}
}

func appendLine(t *testing.T, path, line string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(line + "\n"); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, dir, file string) []byte {
	t.Helper()
	bytes, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

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

// What a configuration changes since the checkpoint is an error that names the key; never moves the old run aside.
func TestFixtureResumeOfAnotherRun(t *testing.T) {
	output := t.TempDir()
	c := tiny{retriever: withLoRA, lm: withLoRA, train: ", steps: 2, save_every: 1"}
	run(t, c.config(t, output))
	c.train = ", steps: 2, save_every: 1, log_every: 7, schedule: cosine"
	_, err := Run(context.Background(), c.config(t, output), RunOptions{})
	want := "test.yaml:7: train.schedule: found cosine, expected linear as in the run of " + runFolder(output).checkpoint(2) +
		" (train.resume: never starts anew and keeps the old run)"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	c.train += ", resume: never"
	if summary := run(t, c.config(t, output)); summary.Resumed != 0 || summary.Repeated {
		t.Errorf("got %+v", summary)
	}
	content(t, output, "previous-1/model/model.safetensors")
	content(t, output, "previous-1/metrics.jsonl")
	c.train = strings.Replace(c.train, "never", runFolder(output).checkpoint(1), 1)
	if summary := run(t, c.config(t, output)); summary.Resumed != 1 || summary.Step != 2 || len(readMetrics(t, output)) != 2 {
		t.Errorf("got %+v", summary)
	}
	c.train = strings.Replace(c.train, "step-000001", "step-000009", 1)
	_, err = Run(context.Background(), c.config(t, output), RunOptions{})
	if err == nil || !strings.HasPrefix(err.Error(), "test.yaml:7: train.resume: read checkpoint: open ") {
		t.Errorf("got %v", err)
	}
}

// Other groups under the same name are no continuation.
func TestFixtureResumeWithOtherGroups(t *testing.T) {
	output, groups := t.TempDir(), writeGroups(t, texts(t))
	c := tiny{retriever: withLoRA, lm: withLoRA, train: ", steps: 1", data: ", groups: [" + groups + "]"}
	run(t, c.config(t, output))
	if err := os.WriteFile(groups, []byte(`["other", "texts"]`), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Run(context.Background(), c.config(t, output), RunOptions{})
	if err == nil || !strings.Contains(err.Error(), groups+" is no longer the file that the run of") {
		t.Errorf("got %v", err)
	}
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
