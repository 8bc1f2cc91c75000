package train

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"revela/config"
	"revela/internal/fixture"
	"revela/model/checkpoint"
)

// stepsCase is a fixture of several optimiser steps.
type stepsCase struct {
	pairSettings
	GroupSize     int      `json:"group_size"`
	Temperature   float64  `json:"attn_temperature"`
	ExcludeSelf   bool     `json:"exclude_diagonal"`
	Rank          int      `json:"lora_r"`
	Alpha         float64  `json:"lora_alpha"`
	Dropout       float64  `json:"lora_dropout"`
	Targets       []string `json:"target_modules"`
	Steps         int      `json:"steps"`
	GroupsPerStep int      `json:"gradient_accumulation_steps"`
	Order         []int    `json:"group_order"`
	Optimizer     struct {
		Name        string    `json:"name"`
		LR          float64   `json:"lr"`
		Betas       []float64 `json:"betas"`
		Epsilon     float64   `json:"eps"`
		WeightDecay float64   `json:"weight_decay"`
	} `json:"optimizer"`
	MaxGradNorm float64 `json:"max_grad_norm"`
	Schedule    struct {
		Name   string `json:"name"`
		Warmup int    `json:"warmup_steps"`
		Total  int    `json:"total_steps"`
	} `json:"schedule"`
}

// configuration writes the case as a user would: groups in the order of the run, one YAML.
func (s stepsCase) configuration(t *testing.T, name, output string) *config.Config {
	t.Helper()
	var groups [][]string
	fixture.ReadJSON(t, &groups, name, "groups.json")
	var lines [][]string
	for _, at := range s.Order {
		lines = append(lines, groups[at])
	}
	lora := fmt.Sprintf("{rank: %d, alpha: %g, dropout: %g, targets: [%s]}", s.Rank, s.Alpha, s.Dropout, strings.Join(s.Targets, ", "))
	path := func(elem ...string) string { return fixture.Path(t, append([]string{name}, elem...)...) }
	return parse(t, fmt.Sprintf(`
output: %s
precision: fp32
retriever: {checkpoint: %s, adapter: %s, lora: %s, pooling: %s, normalize: %t, append_eos: %t, query_prefix: %q, passage_prefix: %q, max_length: %d}
lm: {checkpoint: %s, adapter: %s, lora: %s}
objective: {temperature: %g, exclude_self: %t}
data: {groups: [%s], group_size: %d, max_length: %d, shuffle: false, shuffle_within_group: false}
train:
  steps: %d
  groups_per_step: %d
  optimizer: {beta1: %g, beta2: %g, epsilon: %g, weight_decay: %g}
  learning_rate: %g
  schedule: %s
  warmup_steps: %d
  max_grad_norm: %g
  save_every: 1
  keep_checkpoints: %d
`, output, path(s.Retriever), path("start", "retriever"), lora, s.Pooling, s.Normalize, s.AppendEOS, s.QueryPrefix, s.PassagePrefix,
		s.PassageMaxLen, path(s.LM), path("start", "lm"), lora, s.Temperature, s.ExcludeSelf, writeGroups(t, lines), s.GroupSize,
		s.PassageMaxLen-1, s.Steps, s.GroupsPerStep, s.Optimizer.Betas[0], s.Optimizer.Betas[1], s.Optimizer.Epsilon,
		s.Optimizer.WeightDecay, s.Optimizer.LR, s.Schedule.Name, s.Schedule.Warmup, s.MaxGradNorm, s.Steps))
}

func parse(t *testing.T, yaml string) *config.Config {
	t.Helper()
	c, err := config.Parse("test.yaml", []byte(yaml), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// writeGroups writes a groups file and returns its path.
func writeGroups(t *testing.T, lines any) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "groups.jsonl")
	content, err := json.Marshal(lines)
	if err != nil {
		t.Fatal(err)
	}
	var each []json.RawMessage
	if err := json.Unmarshal(content, &each); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, line := range each {
		b.Write(line)
		b.WriteByte('\n')
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// readMetrics reads metrics.jsonl, refusing keys that it does not know.
func readMetrics(t *testing.T, output string) []Metrics {
	t.Helper()
	f, err := os.Open(filepath.Join(output, metricsFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []Metrics
	for scanner := bufio.NewScanner(f); scanner.Scan(); {
		var m Metrics
		decoder := json.NewDecoder(strings.NewReader(scanner.Text()))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&m); err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

// run trains and fails the test on an error.
func run(t *testing.T, c *config.Config) Summary {
	t.Helper()
	summary, err := Run(context.Background(), c, RunOptions{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return summary
}

// Every fixture with steps of LoRA training is run through configuration, data, objective and trainer, as a user would.
func TestFixtureSteps(t *testing.T) {
	cases, err := filepath.Glob(fixture.Path(t, "*", "step-*"))
	if err != nil || len(cases) == 0 {
		t.Fatalf("no fixture with steps, %v", err)
	}
	seen := map[string]bool{}
	for _, dir := range cases {
		if name := filepath.Base(filepath.Dir(dir)); !seen[name] {
			seen[name] = true
			t.Run(name, func(t *testing.T) { testSteps(t, name) })
		}
	}
	for _, name := range []string{"lora-steps-llama", "lora-steps-qwen2", "accumulate-llama"} {
		if !seen[name] {
			t.Errorf("the fixture %s is missing", name)
		}
	}
}

func testSteps(t *testing.T, name string) {
	var s stepsCase
	fixture.ReadJSON(t, &s, name, "settings.json")
	var expected struct {
		Steps []struct {
			LR       float64 `json:"lr"`
			Loss     float64 `json:"loss"`
			GradNorm float64 `json:"grad_norm_before_clip"`
		} `json:"steps"`
	}
	fixture.ReadJSON(t, &expected, name, "expected.json")
	output := t.TempDir()
	run(t, s.configuration(t, name, output))
	metrics := readMetrics(t, output)
	if len(metrics) != s.Steps || len(expected.Steps) != s.Steps {
		t.Fatalf("%d lines of metrics and %d expected steps, want %d", len(metrics), len(expected.Steps), s.Steps)
	}
	var loss, norm, rate float64
	for i, want := range expected.Steps {
		got := metrics[i]
		loss = math.Max(loss, math.Abs(got.Loss-want.Loss))
		norm = math.Max(norm, math.Abs(got.GradNorm/want.GradNorm-1))
		rate = math.Max(rate, math.Abs(got.LearningRate.Retriever-want.LR))
		if got.LearningRate.LM != got.LearningRate.Retriever || got.Step != i+1 || got.Groups != s.GroupsPerStep {
			t.Errorf("step %d: %+v", i+1, got)
		}
	}
	t.Logf("largest differences: loss %.1e, gradient norm %.1e (relative), learning rate %.1e", loss, norm, rate)
	if !(loss <= 1e-5 && norm <= 1e-5 && rate <= 1e-12) {
		t.Errorf("differences: loss %g, gradient norm %g, learning rate %g", loss, norm, rate)
	}
	steps, _ := filepath.Glob(fixture.Path(t, name, "step-*"))
	for _, dir := range steps {
		var step int
		fmt.Sscanf(filepath.Base(dir), "step-%d", &step)
		for _, part := range []string{"retriever", "lm"} {
			got := filepath.Join(runFolder(output).checkpoint(step), part, "adapter_model.safetensors")
			requireSameTensors(t, got, filepath.Join(dir, part, "adapter_model.safetensors"), 1e-5)
		}
	}
}

// requireSameTensors compares two safetensors files, name by name.
func requireSameTensors(t *testing.T, got, want string, tolerance float64) {
	t.Helper()
	a, b := readTensors(t, got), readTensors(t, want)
	if len(a) != len(b) {
		t.Fatalf("%s has %d tensors, %s has %d", got, len(a), want, len(b))
	}
	worst := 0.0
	for name, values := range b {
		if a[name] == nil {
			t.Fatalf("%s has no tensor %s", got, name)
		}
		worst = math.Max(worst, fixture.Difference(t, a[name], values))
	}
	t.Logf("%s: largest difference %.1e", strings.TrimPrefix(got, os.TempDir()), worst)
	if !(worst <= tolerance) {
		t.Errorf("%s differs from %s by %g, at most %g allowed", got, want, worst, tolerance)
	}
}

// readTensors reads all fp32 tensors of a file.
func readTensors(t *testing.T, path string) map[string][]float64 {
	t.Helper()
	w, err := checkpoint.ReadSafetensors(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	all := map[string][]float64{}
	for _, name := range w.Names() {
		x, _, err := w.Tensor(name)
		if err != nil || x.DType != checkpoint.F32 {
			t.Fatalf("%s: tensor %s is %s, F32 expected; %v", path, name, x.DType, err)
		}
		values := make([]float64, x.Elements())
		for i := range values {
			bits := uint32(x.Data[4*i]) | uint32(x.Data[4*i+1])<<8 | uint32(x.Data[4*i+2])<<16 | uint32(x.Data[4*i+3])<<24
			values[i] = float64(math.Float32frombits(bits))
		}
		all[name] = values
	}
	return all
}
