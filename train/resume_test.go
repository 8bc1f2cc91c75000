package train

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// Whether activations are computed again decides how sums are rounded: `auto` keeps to what the run began with, here `true`,
// though there is memory enough; what is said outright holds.
func TestFixtureResumeKeepsActivationCheckpointing(t *testing.T) {
	output := t.TempDir()
	c := tiny{retriever: withLoRA, lm: withLoRA, train: ", steps: 2, save_every: 1, activation_checkpointing: true"}
	run(t, c.config(t, output))
	for setting, want := range map[string]string{"auto": "computed again", "false": "kept"} {
		c.train = ", steps: 2, save_every: 0, activation_checkpointing: " + setting + ", resume: " + runFolder(output).checkpoint(1)
		var log []string
		if _, err := Run(context.Background(), c.config(t, output), RunOptions{Log: func(line string) { log = append(log, line) }}); err != nil {
			t.Fatal(err)
		}
		if said := strings.Join(log, "\n"); !strings.Contains(said, "activations are "+want) {
			t.Errorf("activation_checkpointing %s: the run says\n%s\nwant activations that are %s", setting, said, want)
		}
	}
}

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
