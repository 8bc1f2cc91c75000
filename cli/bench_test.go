package cli

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"revela/bench"
	"revela/internal/fixture"
)

// lastLine decodes the JSON of a benchmark.
func lastLine(t *testing.T, to any, arguments ...string) string {
	t.Helper()
	stdout, stderr, status := run(t, arguments...)
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), to); err != nil || status != 0 || stderr != "" {
		t.Fatalf("status %d, %v: %s\n%s", status, err, stdout, stderr)
	}
	return stdout
}

func TestBenchStep(t *testing.T) {
	var r bench.StepResult
	out := lastLine(t, &r, "bench", "step", "--shape", "nano", "--group-size", "3", "--max-len", "16", "--steps", "2",
		"--lora-r", "4", "--breakdown")
	if len(r.Losses) != 2 || len(r.Seconds) != 2 || r.TokensPerSec <= 0 || r.PeakRSS <= 0 || r.Breakdown == nil {
		t.Errorf("got %+v", r)
	}
	for _, want := range []string{"products ", "gemm ", "attention ", "loss ", "optimizer ", "host "} {
		if !strings.Contains(out, "\n"+want) && !strings.HasPrefix(out, want) {
			t.Errorf("no line %q in\n%s", want, out)
		}
	}
}

// Real models on real groups: tokenising is measured as well.
func TestFixtureBenchStepGroups(t *testing.T) {
	dir := t.TempDir()
	groups := filepath.Join(dir, "groups.jsonl")
	write(t, groups, `["one text here", "and another one", "a third"]`+"\n")
	var r bench.StepResult
	lastLine(t, &r, "bench", "step", "--groups", groups, "--retriever", fixture.Path(t, "tiny-llama", "retriever"),
		"--lm", fixture.Path(t, "tiny-llama", "lm"), "--max-len", "16", "--steps", "2", "--lora-r", "4", "--breakdown")
	if len(r.Losses) != 2 || r.Losses[0] == r.Losses[1] || r.Tokens == 0 || r.Breakdown.Host <= 0 {
		t.Errorf("got %+v", r)
	}
}

func TestFixtureBenchLoad(t *testing.T) {
	var r bench.LoadResult
	lastLine(t, &r, "bench", "load", "--model", fixture.Path(t, "tiny-llama", "retriever"), "--times", "2")
	if len(r.Seconds) != 2 || r.MedianLoad <= 0 || r.Parameters <= 0 {
		t.Errorf("got %+v", r)
	}
}

func TestFixtureBenchTokenize(t *testing.T) {
	input := filepath.Join(t.TempDir(), "lines.txt")
	write(t, input, "one line\n\nand another\nthe last has no end")
	var r bench.TokenizeResult
	lastLine(t, &r, "bench", "tokenize", "--model", fixture.Path(t, "tiny-llama", "retriever"), "--input", input, "--passes", "2")
	if r.Lines != 3 || r.Bytes != 38 || r.Tokens < 3 || len(r.Seconds) != 2 || r.LinesPerSec <= 0 {
		t.Errorf("got %+v", r)
	}
}

func TestBenchErrors(t *testing.T) {
	requireFailure(t, 2, "bench step: expected --groups, --retriever and --lm together (see revela bench step --help)", "bench", "step", "--groups", "g.jsonl")
	requireFailure(t, 2, "bench load: found --dtype fp64, expected fp32 or bf16 (see revela bench load --help)", "bench", "load", "--model", "m", "--dtype", "fp64")
	requireFailure(t, 2, "bench tokenize: found --passes 0, expected at least 1 (see revela bench tokenize --help)", "bench", "tokenize", "--model", "m", "--input", "i", "--passes", "0")
	empty := filepath.Join(t.TempDir(), "empty.txt")
	write(t, empty, "\n")
	requireFailure(t, 1, empty+": no lines", "bench", "tokenize", "--model", fixture.Path(t, "tiny-llama", "retriever"), "--input", empty)
}
