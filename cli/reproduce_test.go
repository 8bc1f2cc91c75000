package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"revela/internal/testdata"
	"revela/reproduce"
)

// reproduced runs the command, reads its JSON, and returns what went to standard error.
func reproduced(t *testing.T, result any, arguments ...string) string {
	t.Helper()
	stdout, stderr, status := run(t, append([]string{"reproduce", "--json"}, arguments...)...)
	if err := json.Unmarshal([]byte(stdout), result); err != nil || status != 0 {
		t.Fatalf("reproduce %v: status %d, %v: %s", arguments, status, err, stderr)
	}
	return stderr
}

// The whole chain at the scale tiny, of an experiment of each objective; a second time everything is done.
func TestReproduceTiny(t *testing.T) {
	t.Chdir("..")
	output := t.TempDir()
	for name, steps := range map[string]int{"coir-0.5b": 7, "beir-1b-contriever-wikipedia-fp32": 8} {
		arguments := []string{"--scale", "tiny", "--output", output, name}
		var compared reproduce.Comparison
		stderr := reproduced(t, &compared, arguments...)
		if !compared.Within || len(compared.Scores) != 1 || compared.Scores[0].Interval == nil || len(compared.Steps) != steps-1 {
			t.Errorf("%s: %+v", name, compared)
		}
		if !strings.Contains(stderr, fmt.Sprintf("[%d/%d] compare: revela reproduce --only compare", steps, steps)) {
			t.Errorf("%s: %s", name, stderr)
		}
		again := reproduced(t, &compared, arguments...)
		if done := strings.Count(again, ": done before\n"); done != steps-1 {
			t.Errorf("%s: %d steps done before, want %d: %s", name, done, steps-1, again)
		}
		adapter := filepath.Join(output, strings.NewReplacer("coir", "code", "beir-1b-contriever-wikipedia", "contriever-wikipedia-1b").Replace(name), "adapter")
		if !exists(adapter, "adapter_config.json") {
			t.Errorf("no adapter in %s", adapter)
		}
	}
}

// A score outside its tolerance is status 1, with the page printed all the same.
func TestReproduceOutside(t *testing.T) {
	t.Chdir("..")
	output := t.TempDir()
	folder := filepath.Join(output, "coir-0.5b")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(folder, "summary.json"), `{"model": "m", "metrics": {"tiny": {"ndcg@10": 0.05}}}`)
	stdout, stderr, status := run(t, "reproduce", "--only", "compare", "--scale", "tiny", "--output", output, "coir-0.5b")
	if status != 1 || !strings.Contains(stdout, "**outside**") ||
		!strings.HasSuffix(stderr, "\nrevela: coir-0.5b: tiny: measured 0.0500, published 0.6200: the difference -0.5700 is outside the tolerance of 0.1000\n") {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
}

// Killed or interrupted in training, the same command goes on from the newest checkpoint.
func TestReproduceInterrupted(t *testing.T) {
	t.Chdir("..")
	output := t.TempDir()
	arguments := []string{"reproduce", "--scale", "tiny", "--output", output, "--set", "train.steps=12", "--set", "train.save_every=1", "coir-135m-batch4"}
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGINT} {
		stopAfterStep(t, filepath.Join(output, "code-135m-batch4", "metrics.jsonl"), signal, arguments...)
	}
	var compared reproduce.Comparison
	stderr := reproduced(t, &compared, arguments[1:]...)
	for _, want := range []string{"[1/7] make: done before\n", "[2/7] prepare: done before\n", "[3/7] check: done before\n", "step 12 of 12:"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("no %q in %s", want, stderr)
		}
	}
	if strings.Contains(stderr, "step 1 of 12:") || strings.Contains(stderr, "step 2 of 12:") || !compared.Within {
		t.Errorf("training began anew: %s", stderr)
	}
}

// stopAfterStep runs the program and signals it once the log has a line more than before.
func stopAfterStep(t *testing.T, log string, signal os.Signal, arguments ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	program := exec.CommandContext(ctx, os.Args[0], arguments...)
	program.Env = append(os.Environ(), asProgram+"=1")
	var stderr bytes.Buffer
	program.Stderr = &stderr
	lines := func() int {
		content, err := os.ReadFile(log)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return bytes.Count(content, []byte("\n"))
	}
	before := lines()
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	for lines() < before+2 {
		if ctx.Err() != nil {
			t.Fatalf("no step within a minute: %s", stderr.String())
		}
		time.Sleep(2 * time.Millisecond)
	}
	if err := program.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	if err := program.Wait(); err == nil {
		t.Fatalf("the program ended before the signal %v: %s", signal, stderr.String())
	}
}

// Every experiment's dry run shows commands that the program takes, with what they cost.
func TestReproduceDryRun(t *testing.T) {
	t.Chdir("..")
	all, err := reproduce.Load(reproduce.DefaultDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		ways := [][]string{{}, {"--scale", "tiny"}}
		if e.Adapter != "" {
			ways = append(ways, []string{"--published"})
		}
		for _, way := range ways {
			var d dryRun
			reproduced(t, &d, append(append([]string{"--dry-run", "--tflops", "200"}, way...), e.Name)...)
			if len(d.Steps) < 2 || d.Rate != 2e14 {
				t.Errorf("%s %v: %+v", e.Name, way, d)
			}
			for _, c := range d.Steps {
				if err := parseWords(append([]string{"revela"}, c.Command...)); err != nil {
					t.Errorf("%s: %s: %v", e.Name, reproduce.Shell(c.Command), err)
				}
			}
		}
	}
	stdout, _, status := run(t, "reproduce", "--dry-run", "--tflops", "200", "coir-0.5b")
	for _, want := range []string{"coir-0.5b: table 1 of", "\n# train: about ", "\nrevela train --config configs/revela-code.yaml --set ", "\nrevela reproduce --only compare coir-0.5b\n"} {
		if status != 0 || !strings.Contains(stdout, want) {
			t.Errorf("status %d, no %q in %s", status, want, stdout)
		}
	}
}

func TestReproduceDryRunCosts(t *testing.T) {
	t.Chdir("..")
	t.Setenv("HF_HOME", t.TempDir())
	t.Setenv("HF_HUB_CACHE", "")
	var d dryRun
	reproduced(t, &d, "--dry-run", "--tflops", "1000", "coir-0.5b")
	costs := map[string]cost{}
	for _, c := range d.Steps {
		costs[c.Step] = c
	}
	training, check := costs["train"], costs["check"]
	if training.Seconds == nil || training.Memory == nil || *training.Memory < 10e9 || *training.Memory > 60e9 || training.FLOP/(1e15*trainShare) != *training.Seconds {
		t.Errorf("training: %+v", training)
	}
	if want := int64(2 * (494032768 + 1235814400)); check.Download == nil || *check.Download != want { // parameters that the models' cards give, in bf16
		t.Errorf("check: %+v, want a download of %d", check, want)
	}
	if !strings.Contains(check.Note, "358,763 groups") || !strings.Contains(costs["evaluate"].Note, "documents") || len(d.Steps) != 5 {
		t.Errorf("%+v", d)
	}
}

func TestReproduceList(t *testing.T) {
	t.Chdir("..")
	stdout, _, status := run(t, "reproduce")
	for _, want := range []string{"coir-0.5b ", "  0.561  ", "bright-3b ", "beir-135m-batch4 "} {
		if status != 0 || !strings.Contains(stdout, want) {
			t.Errorf("status %d, no %q in\n%s", status, want, stdout)
		}
	}
	var listed []listedExperiment
	reproduced(t, &listed)
	if len(listed) < 80 || listed[1].Variant != "fp32" || *listed[0].Mean != 0.484 {
		t.Errorf("got %+v", listed)
	}
}

func TestReproduceErrors(t *testing.T) {
	t.Chdir("..")
	requireFailure(t, 1, "found the experiment \"coir-7b\", expected one that `revela reproduce` lists", "reproduce", "coir-7b")
	requireFailure(t, 2, "reproduce: found --scale small, expected full or tiny (see revela reproduce --help)", "reproduce", "--scale", "small", "coir-1b")
	requireFailure(t, 2, "reproduce: found 2 names, expected one (see revela reproduce --help)", "reproduce", "coir-1b", "coir-3b")
	requireFailure(t, 2, "reproduce: found --only trane, expected one of check, train, export, evaluate, compare (see revela reproduce --help)",
		"reproduce", "--only", "trane", "coir-1b")
	requireFailure(t, 2, "reproduce: found --tflops 0, expected a number above 0 (see revela reproduce --help)", "reproduce", "--dry-run", "--tflops", "0", "coir-1b")
	requireFailure(t, 1, "read experiments: no files none/*.yaml; the repository's root has them", "reproduce", "--experiments", "none")
}

// The whole chain as on the paper's data, against a hub: groups by their repository, a benchmark by its name, published
// scores out of the registry, and the published adapter.
func TestFixtureReproduceFromHub(t *testing.T) {
	hub := madeHub(t, "nanobeir/scifact")
	fixture := filepath.Join(testdata.Fixtures(t), "tiny-llama")
	for _, name := range []string{"retriever", "lm"} {
		hub.Repos["models/org/"+name] = folderFiles(t, filepath.Join(fixture, name))
	}
	hub.Repos["datasets/org/groups"] = map[string]string{"README.md": "groups",
		"data/a.jsonl": `["Rain again.", "The lamp turns slowly.", "Ships' logs give wind."]` + "\n", "data/b.jsonl": `["One text.", "Another text."]` + "\n"}
	dir := t.TempDir()
	t.Chdir(dir)
	write(t, "run.yaml", `precision: fp32
retriever: {checkpoint: org/retriever, pooling: eos, lora: {rank: 4, alpha: 8}, max_length: 24}
lm: {checkpoint: org/lm, freeze: true}
objective: {temperature: 0.05}
data: {max_length: 24}
train: {steps: 2, groups_per_step: 1, warmup_steps: 0, save_every: 1}
`)
	if err := os.MkdirAll("experiments", 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, "experiments/e.yaml", `title: T
config: run.yaml
groups: [{id: org/groups, revision: main, number: 2}]
tolerance: {mean: 1, task: 1}
published: {mean: 1, task: 1}
trainings:
  - name: trained
    adapter: org/adapter
    measured: [{name: small, table: 1, suite: nanobeir/scifact, system: bm25s}]
`)
	var compared reproduce.Comparison
	stderr := reproduced(t, &compared, "--experiments", "experiments", "small")
	s := compared.Scores[0]
	if len(compared.Scores) != 1 || s.Name != "nanobeir/scifact" || s.Published != 0.70991 || s.Measured == 0 || compared.Protocol != "paper" {
		t.Errorf("%+v\n%s", compared, stderr)
	}
	config := readPage(t, "runs/reproduce/trained/config.yaml")
	if !strings.Contains(config, "hf://datasets/org/groups@main") || !strings.Contains(config, "/data/a.jsonl") || !strings.Contains(config, "/data/b.jsonl") {
		t.Errorf("the run read %s", config)
	}
	hub.Put("models/org/adapter", folderFiles(t, "runs/reproduce/trained/adapter"), "")
	var published reproduce.Comparison
	reproduced(t, &published, "--experiments", "experiments", "--published", "small")
	if got := published.Scores[0].Measured; got != s.Measured || published.Model == compared.Model {
		t.Errorf("the adapter scores %v, the model that it is of %v", got, s.Measured)
	}
}
