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
	"testing"
	"time"

	"revela/evaluate"
	"revela/internal/testdata"
	"revela/train"
)

// tinyRun writes a configuration of two steps on a fixture's models, its groups and a collection, all below one folder.
func tinyRun(t *testing.T, retriever string) (dir, file string) {
	t.Helper()
	dir = t.TempDir()
	tinyCollection(t, dir)
	write(t, filepath.Join(dir, "groups.jsonl"), `["Rain again.", "The lamp turns slowly.", "Ships' logs give wind."]`+"\n")
	file = filepath.Join(dir, "run.yaml")
	write(t, file, fmt.Sprintf(`output: %[1]s/run
precision: fp32
retriever: {checkpoint: %[2]s/retriever, pooling: mean, query_prefix: "q: ", max_length: 24%[3]s}
lm: {checkpoint: %[2]s/lm, freeze: true}
objective: {temperature: 0.05}
data: {groups: [%[1]s/groups.jsonl], max_length: 24}
train: {steps: 2, groups_per_step: 1, warmup_steps: 0, learning_rate: 0.01, save_every: 1}
evaluate: {collections: [%[1]s/tiny], metrics: [ndcg@10]}
`, dir, filepath.Join(testdata.Fixtures(t), "tiny-llama"), retriever))
	return dir, file
}

// From a configuration to a trained model, its scores and its exports, with LoRA and in full.
func TestFixtureTrainEvaluateExport(t *testing.T) {
	for name, retriever := range map[string]string{"lora": ", lora: {rank: 4, alpha: 8, dropout: 0.0}", "full": ""} {
		t.Run(name, func(t *testing.T) {
			dir, file := tinyRun(t, retriever)
			evaluateConfig(t, file, filepath.Join(testdata.Fixtures(t), "tiny-llama", "retriever"))

			var summary train.Summary
			requireResult(t, &summary, "train", "--config", file)
			model := filepath.Join(dir, "run", "model")
			if summary.Model != model || summary.Step != 2 || summary.Repeated {
				t.Errorf("got %+v", summary)
			}
			stdout, stderr, status := run(t, "train", "--config", file)
			if want := dir + "/run: finished before, after 2 steps\n" + model + ": the trained retriever\n"; status != 0 || stdout != want {
				t.Errorf("status %d: %s%s", status, stdout, stderr)
			}
			evaluateConfig(t, file, model)
			checkExports(t, dir, name == "lora")
		})
	}
}

// evaluateConfig scores what a configuration stands for and checks that this is the model, read as the configuration says.
func evaluateConfig(t *testing.T, file, model string) {
	t.Helper()
	var results []evaluate.Result
	stderr := requireResult(t, &results, "evaluate", "--config", file)
	if !strings.Contains(stderr, "scoring "+model+"\n") {
		t.Errorf("it does not say that it scores %s: %s", model, stderr)
	}
	want := map[string]any{"pooling": "mean", "query_prefix": "q: ", "passage_prefix": "passage: ", "max_length": 24.0, "normalize": true, "protocol": "clean"}
	for key, value := range want {
		if len(results) != 1 || results[0].Settings[key] != value {
			t.Errorf("%s is %v, want %v", key, results[0].Settings[key], value)
		}
	}
	if results[0].Model != model || results[0].Metrics["ndcg@10"] == 0 {
		t.Errorf("got %+v", results[0])
	}
}

// checkExports exports the last checkpoint, whose retriever must be the run's model, in every way.
func checkExports(t *testing.T, dir string, lora bool) {
	t.Helper()
	checkpoint := filepath.Join(dir, "run", "checkpoints", "step-000002")
	encode := func(model string, flags ...string) string {
		t.Helper()
		output := filepath.Join(t.TempDir(), "v.npy")
		var got encoded
		requireResult(t, &got, append([]string{"encode", "--model", model, "--input", filepath.Join(dir, "tiny", "corpus.jsonl"), "--output", output}, flags...)...)
		return output
	}
	want := encode(filepath.Join(dir, "run", "model"))
	if d := difference(t, want, encode(filepath.Join(testdata.Fixtures(t), "tiny-llama", "retriever"), "--pooling", "mean", "--prefix", "passage: ")); d < 1e-4 {
		t.Errorf("training changed vectors by %g, so this test proves nothing", d)
	}
	for _, from := range []string{checkpoint, filepath.Join(checkpoint, "retriever")} {
		output := filepath.Join(t.TempDir(), "exported")
		stdout, stderr, status := run(t, "export", "--checkpoint", from, "--output", output)
		if status != 0 || stdout != output+": the retriever in the layout of sentence-transformers\n" {
			t.Fatalf("status %d: %s%s", status, stdout, stderr)
		}
		if d := difference(t, want, encode(output)); d > 2e-6 {
			t.Errorf("the export of %s differs from the run's model by %g", from, d)
		}
	}
	peft := filepath.Join(t.TempDir(), "peft")
	if !lora {
		requireFailure(t, 1, "--format peft: "+checkpoint+"/retriever has weights of its own, expected an adapter",
			"export", "--checkpoint", checkpoint, "--output", peft, "--format", "peft")
		return
	}
	var got exported
	requireResult(t, &got, "export", "--checkpoint", checkpoint, "--output", peft, "--format", "peft")
	if d := difference(t, want, encode(peft, "--pooling", "mean", "--prefix", "passage: ", "--max-length", "24")); got.Format != "peft" || d > 2e-6 {
		t.Errorf("%+v differs from the run's model by %g", got, d)
	}
	readable := filepath.Join(t.TempDir(), "settings")
	requireResult(t, &got, "export", "--checkpoint", peft, "--output", readable, "--pooling", "mean", "--passage-prefix", "passage: ", "--max-length", "24")
	if d := difference(t, want, encode(readable)); d > 2e-6 || got.Base != filepath.Join(testdata.Fixtures(t), "tiny-llama", "retriever") {
		t.Errorf("%+v differs from the run's model by %g", got, d)
	}
}

// Ctrl-C ends training with a checkpoint, from which the same command goes on, and no other.
func TestFixtureTrainInterrupted(t *testing.T) {
	dir, file := tinyRun(t, "")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	program := exec.CommandContext(ctx, os.Args[0], "train", "--config", file, "--set", "train.steps=1000000", "--set", "train.save_every=0")
	program.Env = append(os.Environ(), asProgram+"=1")
	var stderr bytes.Buffer
	program.Stderr = &stderr
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	metrics := filepath.Join(dir, "run", "metrics.jsonl")
	for info, err := os.Stat(metrics); err != nil || info.Size() == 0; info, err = os.Stat(metrics) {
		if ctx.Err() != nil {
			t.Fatalf("no step within a minute: %s", stderr.String())
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := program.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := program.Wait(); !errors.As(err, &exit) || exit.ExitCode() != statusInterrupted {
		t.Errorf("the program ended with %v, want status %d", err, statusInterrupted)
	}
	if !strings.HasSuffix(stderr.String(), "\nrevela: interrupted\n") {
		t.Errorf("got %q", stderr.String())
	}
	saved, err := filepath.Glob(filepath.Join(dir, "run", "checkpoints", "step-*"))
	if err != nil || len(saved) != 1 {
		t.Fatalf("checkpoints %v, %v", saved, err)
	}
	requireFailure(t, 1, file+":7: train.steps: found 2, expected 1000000 as in the run of "+saved[0]+
		" (train.resume: never starts anew and keeps the old run)", "train", "--config", file)
}

func TestFixtureTrainErrors(t *testing.T) {
	requireFailure(t, 2, "train: found no --config, expected one (see revela train --help)", "train")
	dir, file := tinyRun(t, "")
	write(t, filepath.Join(dir, "groups.jsonl"), `["alone"]`)
	requireFailure(t, 1, file+":6: data.groups: open groups: "+dir+"/groups.jsonl:1: group of 1 text, expected at least 2", "train", "--config", file)
}

// What --set and flags say wins over the files of the model; the rest of the configuration's retriever does not count.
func TestFixtureEvaluateNamedModel(t *testing.T) {
	dir, file := tinyRun(t, "")
	var results []evaluate.Result
	requireResult(t, &results, "evaluate", "--config", file, "--model", tinyModel(t), "--output", filepath.Join(dir, "named"),
		"--set", "retriever.normalize=false", "--passage-prefix", "doc: ")
	want := map[string]any{"pooling": "eos", "query_prefix": "", "passage_prefix": "doc: ", "normalize": false, "precision": "fp32"}
	for key, value := range want {
		if got := results[0].Settings[key]; got != value {
			t.Errorf("%s is %v, want %v", key, got, value)
		}
	}
	content, err := os.ReadFile(filepath.Join(dir, "named", "results", "tiny.json"))
	var stored evaluate.Result
	if err != nil || json.Unmarshal(content, &stored) != nil || stored.Settings["passage_prefix"] != "doc: " {
		t.Errorf("stored %+v, %v", stored, err)
	}
}

func TestFixtureEvaluatePaper(t *testing.T) {
	dir, file := tinyRun(t, "")
	for name, args := range map[string][]string{
		"config": {"--config", file},
		"model":  {"--model", tinyModel(t), "--collection", dir + "/tiny", "--output", dir + "/out"},
	} {
		var results []evaluate.Result
		requireResult(t, &results, append([]string{"evaluate", "--protocol", "paper", "--precision", "fp32"}, args...)...)
		want := map[string]any{"query_prefix": "query:  ", "passage_prefix": "passage:  ", "max_length": 2048.0, "precision": "fp32",
			"strip_texts": true, "protocol": "paper"}
		for key, value := range want {
			if got := results[0].Settings[key]; got != value {
				t.Errorf("%s: %s is %v, want %v", name, key, got, value)
			}
		}
	}
}

func TestFixtureEvaluateModelErrors(t *testing.T) {
	dir, file := tinyRun(t, "")
	requireFailure(t, 1, "evaluate: create output folder: mkdir "+file+": not a directory",
		"evaluate", "--model", tinyModel(t), "--collection", dir+"/tiny", "--output", file)
	requireFailure(t, 1, `resolve checkpoint "./absent": no such folder, and it is no HuggingFace id (org/name) or pypi:PACKAGE==VERSION`,
		"evaluate", "--model", "./absent", "--collection", dir+"/tiny", "--output", dir+"/out")
	requireFailure(t, 1, `--set retriever.checkpoint=./absent: retriever.checkpoint: resolve checkpoint "./absent": no such folder, `+
		`and it is no HuggingFace id (org/name) or pypi:PACKAGE==VERSION`, "evaluate", "--config", file, "--set", "retriever.checkpoint=./absent")
	requireFailure(t, 2, `--protocol fair: found "fair", expected clean or paper`, "evaluate", "--config", file, "--protocol", "fair")
	requireFailure(t, 2, "export: found --format onnx, expected sentence-transformers or peft (see revela export --help)",
		"export", "--checkpoint", "c", "--output", "o", "--format", "onnx")
	requireFailure(t, 1, "read config: open "+dir+"/config.json: no such file or directory", "export", "--checkpoint", dir, "--output", dir+"/out")
	if _, err := os.Stat(filepath.Join(dir, "out")); !os.IsNotExist(err) {
		t.Errorf("something was written: %v", err)
	}
}
