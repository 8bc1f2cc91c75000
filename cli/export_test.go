package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"revela/internal/testdata"
	"revela/train"
)

// An adapter gives the average with the start that the run's model is; of two adapters there is none.
func TestFixtureExportAveragedAdapter(t *testing.T) {
	dir, file := tinyRun(t, ", lora: {rank: 4, alpha: 8, dropout: 0.0}, average_with_start: 0.25")
	var summary train.Summary
	requireResult(t, &summary, "train", "--config", file)
	checkpoint, peft := filepath.Join(dir, "run", "checkpoints", "step-000002"), filepath.Join(dir, "peft")
	var got exported
	requireResult(t, &got, "export", "--checkpoint", checkpoint, "--output", peft, "--format", "peft")
	encode := func(model string) string {
		t.Helper()
		output := filepath.Join(t.TempDir(), "v.npy")
		var got encoded
		requireResult(t, &got, "encode", "--model", model, "--input", filepath.Join(dir, "tiny", "corpus.jsonl"), "--output", output,
			"--pooling", "mean", "--prefix", "passage: ", "--max-length", "24")
		return output
	}
	want := encode(summary.Model)
	if d := difference(t, want, encode(peft)); d > 2e-6 {
		t.Errorf("the adapter differs from the run's model by %g", d)
	}
	if d := difference(t, want, encode(filepath.Join(checkpoint, "retriever"))); d < 1e-5 {
		t.Errorf("the average is only %g away from the trained weights, so this test proves nothing", d)
	}

	adapter := filepath.Join(testdata.Fixtures(t), "lora-steps-llama", "start", "retriever")
	dir, file = tinyRun(t, ", adapter: "+adapter+", lora: {rank: 8, alpha: 16}, average_with_start: 0.25")
	requireResult(t, &summary, "train", "--config", file)
	checkpoint = filepath.Join(dir, "run", "checkpoints", "step-000002")
	at := lineOf(t, filepath.Join(checkpoint, "config.yaml"), "average_with_start: 0.25")
	requireFailure(t, 1, "--format peft: "+at+": retriever.average_with_start: found 0.25 with a run that began with the adapter "+
		adapter+", expected 0: no adapter of one rank is the average of two",
		"export", "--checkpoint", checkpoint, "--output", peft+"2", "--format", "peft")
}

// lineOf finds the line of a file that holds a text, as "file:line".
func lineOf(t *testing.T, file, text string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, _, found := strings.Cut(string(content), text)
	if !found {
		t.Fatalf("%s has no %q", file, text)
	}
	return fmt.Sprintf("%s:%d", file, 1+strings.Count(before, "\n"))
}
