package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"revela/torch"
)

// run runs the program and returns what it printed and its exit status.
func run(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	status = Run(context.Background(), append([]string{"revela"}, args...), &out, &errs)
	return out.String(), errs.String(), status
}

// requireFailure checks the one line that a failing command prints, and that it prints nothing else.
func requireFailure(t *testing.T, wantStatus int, want string, args ...string) {
	t.Helper()
	stdout, stderr, status := run(t, args...)
	if status != wantStatus || stderr != "revela: "+want+"\n" || stdout != "" {
		t.Errorf("revela %s: status %d\n got %q %q\nwant %d %q", strings.Join(args, " "), status, stderr, stdout, wantStatus, want)
	}
}

// names lists the commands as messages do.
func names() string {
	var names []string
	for _, c := range commands() {
		names = append(names, c.name)
	}
	return strings.Join(names, ", ")
}

func TestUsageErrors(t *testing.T) {
	for _, test := range []struct {
		args, want string
	}{
		{"", "found no command, expected one of " + names() + " (see revela --help)"},
		{"scor", `found the unknown command "scor", expected one of ` + names() + " (see revela --help)"},
		{"--colour", "found the unknown flag --colour (see revela --help)"},
		{"score --qrel x", "score: found the unknown flag --qrel (see revela score --help)"},
		{"score --depth x", `score: invalid value "x" for flag -depth: parse error (see revela score --help)`},
		{"score --qrels", "score: flag needs an argument: -qrels (see revela score --help)"},
		{"score --run a", "score: found no --qrels, expected one (see revela score --help)"},
		{"score --qrels a", "score: found no --run, expected one (see revela score --help)"},
		{"score a b", `score: found the argument "a", expected flags only (see revela score --help)`},
		{"download", "download: found no ID, expected at least one (see revela download --help)"},
		{"download org/name --dataset", "download: found the flag --dataset after an argument, expected flags first (see revela download --help)"},
		{"prepare --output x", "prepare: found neither --config nor --input, expected one of them (see revela prepare --help)"},
		{"prepare --input x --unit word", `--unit word: found "word", expected sentences, tokens, sections or functions`},
		{"prepare --input x --holdout 1", "--holdout 1: found 1, expected a number of at least 0 and below 1"},
		{"evaluate --collection x", "evaluate: found no --model, expected one (see revela evaluate --help)"},
		{"evaluate --model bm25 --output x", "evaluate: found neither --suite nor --collection, expected one (see revela evaluate --help)"},
		{"check", "check: found no --config, expected one (see revela check --help)"},
	} {
		requireFailure(t, 2, test.want, strings.Fields(test.args)...)
	}
}

func TestStatus(t *testing.T) {
	for _, test := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("disk full"), 1},
		{&usageError{"x"}, 2},
		{fmt.Errorf("train: %w", context.Canceled), 130},
	} {
		if got := Status(test.err); got != test.want {
			t.Errorf("Status(%v) = %d, want %d", test.err, got, test.want)
		}
	}
}

func TestPrintError(t *testing.T) {
	for _, test := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{errors.New("disk full"), "revela: disk full\n"},
		{errors.New("a.yaml:1: x\na.yaml:2: y"), "revela: a.yaml:1: x\nrevela: a.yaml:2: y\n"},
		{fmt.Errorf("train: %w", context.Canceled), "revela: interrupted\n"},
	} {
		var out bytes.Buffer
		if printError(&out, test.err); out.String() != test.want {
			t.Errorf("got %q, want %q", out.String(), test.want)
		}
	}
}

// Every command says what it is for, gives an example that names it, and takes --set.
func TestHelp(t *testing.T) {
	for _, c := range commands() {
		checkHelp(t, c, nil)
	}
	stdout, _, status := run(t, "--help")
	if status != 0 || !strings.Contains(stdout, statusHelp) {
		t.Errorf("--help: status %d:\n%s", status, stdout)
	}
}

func checkHelp(t *testing.T, c command, parents []string) {
	t.Helper()
	path := append(parents, c.name)
	stdout, stderr, status := run(t, append(path, "--help")...)
	if status != 0 || stderr != "" {
		t.Errorf("%v --help: status %d, %q", path, status, stderr)
	}
	wanted := []string{c.summary, "Example:\n     revela " + strings.Join(path, " ")}
	if len(c.subcommands) == 0 {
		wanted = append(wanted, "--set KEY=VALUE")
	}
	for _, want := range wanted {
		if !strings.Contains(stdout, want) {
			t.Errorf("%v --help does not say %q:\n%s", path, want, stdout)
		}
	}
	for _, sub := range c.subcommands {
		checkHelp(t, sub, path)
	}
}

// The examples of the help are command lines that the flag parser takes.
func TestExamplesParse(t *testing.T) {
	for _, c := range commands() {
		for _, example := range append(c.examples, examplesOf(c.subcommands)...) {
			app := newApp(&bytes.Buffer{}, &bytes.Buffer{})
			ran := onlyParse(app.Command(c.name), c)
			if err := app.Run(shellWords(example)); err != nil || !*ran {
				t.Errorf("%s: parsed is %v, %v", example, *ran, err)
			}
		}
	}
}

func examplesOf(commands []command) []string {
	var examples []string
	for _, c := range commands {
		examples = append(examples, c.examples...)
	}
	return examples
}

// onlyParse keeps a command and its subcommands from doing anything; the result says whether one was reached.
func onlyParse(built *cli.Command, c command) *bool {
	ran := new(bool)
	parse := func(c command) cli.ActionFunc {
		return func(ctx *cli.Context) error {
			*ran = true
			return c.checkArguments(ctx)
		}
	}
	if len(c.subcommands) == 0 {
		built.Action = parse(c)
	}
	for i, sub := range c.subcommands {
		built.Subcommands[i].Action = parse(sub)
	}
	return ran
}

// shellWords splits a command line at blanks, outside of double quotes.
func shellWords(line string) []string {
	quoted := false
	return strings.FieldsFunc(strings.ReplaceAll(line, `""`, `"`), func(r rune) bool {
		if r == '"' {
			quoted = !quoted
			return true
		}
		return r == ' ' && !quoted
	})
}

func TestVersion(t *testing.T) {
	stdout, _, status := run(t, "--version")
	if status != 0 || !strings.HasPrefix(stdout, "revela version "+release) || !strings.Contains(stdout, "libtorch "+torch.Version) {
		t.Errorf("status %d: %s", status, stdout)
	}
}

func TestDoctor(t *testing.T) {
	stdout, stderr, status := run(t, "doctor", "--json")
	var d diagnosis
	if err := json.Unmarshal([]byte(stdout), &d); err != nil || status != 0 || stderr != "" {
		t.Fatalf("status %d, %v: %s", status, err, stderr)
	}
	if d.Cores < 1 || d.FP32 <= 0 || d.Products.BF16 <= 0 || filepath.Base(d.Library) != "libtorch_cpu.so" || d.Instructions == "" {
		t.Errorf("got %+v", d)
	}
	var out bytes.Buffer
	d.print(&out)
	for _, want := range []string{"revela     " + release, "libtorch   " + torch.Version, "GFLOP/s", " × fp32", "precision: auto is ", "cuda       "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func TestDoctorOnCUDA(t *testing.T) {
	gpus := []torch.CUDADevice{{Name: "H100", Major: 9, Memory: 80e9}}
	for _, test := range []struct {
		d    diagnosis
		want string
	}{
		{diagnosis{driverError: "no driver"}, "not used: no driver"},
		{diagnosis{GPUs: gpus}, "not used: cuda:0 H100 (80.0 GB, compute capability 9.0), but libtorch is the CPU's alone; `make setup-cuda` fetches the rest"},
		{diagnosis{CUDALibrary: "l", CUDAError: "load l: no libcudart.so.13"}, "not used: load l: no libcudart.so.13"},
		{diagnosis{CUDALibrary: "l", CUDAVersion: "13.0", driverError: "no driver"}, "CUDA libtorch loaded, for CUDA 13.0, no device: no driver"},
		{diagnosis{CUDALibrary: "l", CUDAVersion: "13.0", CUDA: true, GPUs: gpus},
			"CUDA libtorch loaded, for CUDA 13.0; used: cuda:0 H100 (80.0 GB, compute capability 9.0)"},
	} {
		if got := test.d.cudaAdvice(); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

// A mistake of an override is reported as it was given.
func TestBadSet(t *testing.T) {
	requireFailure(t, 2, `--set seed=x: found "x", expected a whole number of at least 0`, "download", "--set", "seed=x", "org/name")
}

func TestScore(t *testing.T) {
	dir := t.TempDir()
	qrels, runFile := filepath.Join(dir, "qrels"), filepath.Join(dir, "run")
	write(t, qrels, "q1 0 d1 1\nq1 0 d2 0\nq2 0 d3 2\nq3 0 d1 1\n")
	write(t, runFile, "q1 Q0 d2 1 0.9 tag\nq1 Q0 d1 2 0.8 tag\nq2 Q0 d3 1 0.5 tag\n")
	stdout, stderr, status := run(t, "score", "--qrels", qrels, "--run", runFile, "--metrics", "map,ndcg@10", "--json", "--per-query")
	if status != 0 || !strings.HasPrefix(stderr, runFile+": ") || !strings.Contains(stderr, "1") {
		t.Errorf("status %d, %q", status, stderr)
	}
	var got scoredRun
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	if got.Metrics["map"] != 0.75 || got.PerQuery["q1"]["map"] != 0.5 || got.Queries != 2 || len(got.Missing) != 1 {
		t.Errorf("got %+v", got)
	}
	better := filepath.Join(dir, "better")
	write(t, better, "q1 Q0 d1 1 0.9 tag\nq2 Q0 d3 1 0.5 tag\n")
	stdout, _, _ = run(t, "score", "--qrels", qrels, "--run", runFile, "--metrics", "map", "--compare", better)
	if fields := strings.Fields(stdout); len(fields) < 17 || strings.Join(fields[12:17], " ") != "map 2 0.7500 1.0000 +0.2500" {
		t.Errorf("compared: %q", stdout)
	}
	queries := filepath.Join(dir, "queries.jsonl")
	write(t, queries, `{"_id": "q1", "text": "one or two\nlines"}`+"\n")
	stdout, _, _ = run(t, "score", "--qrels", qrels, "--run", better, "--metrics", "map", "--compare", runFile, "--worst", "3", "--queries", queries)
	if want := "\n\n1 queries that lose most map:\n  -0.5000  (1.0000, then 0.5000)  q1  one or two lines\n"; !strings.HasSuffix(stdout, want) {
		t.Errorf("got %q, want it to end with %q", stdout, want)
	}
	stdout, _, _ = run(t, "score", "--qrels", qrels, "--run", runFile, "--metrics", "map", "--worst", "1", "--intervals")
	if want := "map                   \tall\t0.7500\n\n  metric    mean    95 % interval\n     map  0.7500  0.5000 … 1.0000\n\n1 queries with the least map:\n  0.5000  q1\n"; stdout != want {
		t.Errorf("got %q, want %q", stdout, want)
	}
	requireFailure(t, 2, "score: found --queries without --worst, expected both (see revela score --help)",
		"score", "--qrels", qrels, "--run", runFile, "--queries", queries)
	stdout, _, _ = run(t, "score", "--qrels", qrels, "--run", runFile, "--metrics", "map", "--complete")
	if want := "map                   \tall\t0.5000\n"; stdout != want {
		t.Errorf("got %q, want %q", stdout, want)
	}
}

func TestScoreErrors(t *testing.T) {
	const known = "unknown metric \"x\", expected one of: "
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--metrics", "x"}, "revela: --metrics x: " + known},
		{[]string{"--set", "evaluate.metrics=[x]"}, "revela: --set evaluate.metrics=[x]: evaluate.metrics: " + known},
		{nil, "revela: open absent: no such file or directory"},
	} {
		_, stderr, status := run(t, append([]string{"score", "--qrels", "absent", "--run", "absent"}, test.args...)...)
		if status != 1 || !strings.HasPrefix(stderr, test.want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("status %d: got %q, want %q", status, stderr, test.want)
		}
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
