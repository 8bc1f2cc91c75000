package cli

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"revela/evaluate"
	"revela/evaluate/tasks"
	"revela/internal/fakehub"
	"revela/internal/testdata"
)

// madeHub serves tasks of the registry with made data of the registry's numbers of documents and queries, in the layouts
// that the repositories have, and points the environment at it and at an empty cache. Query i is after document i, and
// excludes document i+1 in BRIGHT.
func madeHub(t *testing.T, names ...string) *fakehub.Hub {
	t.Helper()
	registry, err := tasks.Load()
	if err != nil {
		t.Fatal(err)
	}
	hub := fakehub.New(t, map[string]map[string]string{})
	hub.Commits = map[string]string{}
	for _, name := range names {
		found, err := registry.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range found {
			repository := "datasets/" + task.Repository
			hub.Commits[repository] = task.Revision
			hub.Repos[repository] = madeTask(task)
		}
	}
	t.Setenv("HF_ENDPOINT", hub.Server.URL)
	t.Setenv("HF_HOME", t.TempDir())
	for _, key := range []string{"HF_HUB_CACHE", "HF_TOKEN", "HF_HUB_OFFLINE", "REVELA_MIRROR"} {
		t.Setenv(key, "")
	}
	return hub
}

func madeTask(task *tasks.Task) map[string]string {
	var corpus, queries, qrels strings.Builder
	bright := task.Layout != tasks.BEIR
	for i := range task.Documents {
		if bright {
			fmt.Fprintf(&corpus, `{"id": "d%d", "content": "word%d and word%d"}`+"\n", i, i, i%50)
		} else {
			fmt.Fprintf(&corpus, `{"_id": "d%d", "title": "Number %d", "text": "word%d and word%d"}`+"\n", i, i, i, i%50)
		}
	}
	for i := range task.Queries {
		if bright {
			fmt.Fprintf(&queries, `{"id": "q%d", "query": "which is word%d", "gold_ids": ["d%d"], "gold_ids_long": ["d%d"], "excluded_ids": ["d%d"]}`+"\n", i, i, i, i, i+1)
		} else {
			fmt.Fprintf(&queries, `{"_id": "q%d", "text": "which is word%d"}`+"\n", i, i)
			fmt.Fprintf(&qrels, `{"query-id": "q%d", "corpus-id": "d%d", "score": 1}`+"\n", i, i)
		}
	}
	if bright {
		documents := strings.Replace(string(task.Layout), "bright-long", "long_documents", 1)
		documents = strings.Replace(documents, "bright", "documents", 1)
		return map[string]string{documents + "/" + task.Domain + ".jsonl": corpus.String(), "examples/" + task.Domain + ".jsonl": queries.String()}
	}
	card := "---\nconfigs:\n"
	for config, file := range map[string]string{"corpus": "corpus.jsonl", "queries": "queries.jsonl", "default": "qrels/" + task.Split + ".jsonl"} {
		card += fmt.Sprintf("- config_name: %s\n  data_files:\n  - split: %s\n    path: %s\n", config, task.Split, file)
	}
	return map[string]string{"README.md": card + "---\n", "corpus.jsonl": corpus.String(), "queries.jsonl": queries.String(),
		"qrels/" + task.Split + ".jsonl": qrels.String()}
}

// A whole benchmark by its name: each task by its own name, the benchmark's mean, published scores beside; a second time
// nothing is asked of the hub, and offline it works as well.
func TestEvaluateSuite(t *testing.T) {
	hub := madeHub(t, "nanobeir")
	output := filepath.Join(t.TempDir(), "out")
	arguments := []string{"evaluate", "--model", "bm25", "--suite", "nanobeir", "--output", output, "--set", "evaluate.metrics=[ndcg@10, recall@100]"}
	stdout, stderr, status := run(t, arguments...)
	if status != 0 {
		t.Fatalf("status %d: %s", status, stderr)
	}
	for _, want := range []string{"| nanobeir-scifact | train | 50 | 2919 |", "| nanobeir | | | |", "## ndcg@10 beside published scores", "| bm25s |", " 0.7099 |", " 0.5729 |"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	for _, file := range []string{"runs/nanobeir-nq.trec", "results/nanobeir-nq.json", "mteb/results/revela__bm25/1/NanoNQRetrieval.json", "summary.md", "report.html"} {
		if _, err := os.Stat(filepath.Join(output, file)); err != nil {
			t.Error(err)
		}
	}
	before := len(hub.Requests())
	t.Setenv("HF_HUB_OFFLINE", "1")
	stdout, stderr, status = run(t, append(arguments, "--json")...)
	var results []evaluate.Result
	if err := json.Unmarshal([]byte(stdout), &results); err != nil || status != 0 || len(results) != 14 {
		t.Fatalf("status %d, %v, %d results: %s", status, err, len(results), stderr)
	}
	sum := 0.0
	for _, r := range results[:13] {
		sum += r.Metrics["ndcg@10"] / 13
		if r.Settings["protocol"] != "clean" {
			t.Errorf("%s: settings %v", r.Collection, r.Settings)
		}
	}
	if mean := results[13]; mean.Collection != "nanobeir" || math.Abs(mean.Metrics["ndcg@10"]-sum) > 1e-12 || sum < 0.5 {
		t.Errorf("the mean is %+v, of the tasks %v", mean, sum)
	}
	if after := len(hub.Requests()); after != before {
		t.Errorf("asked the hub again: %v", hub.Requests()[before:])
	}
}

// Without all of its parts a benchmark has no mean; names mix with folders; a task named twice is measured once.
func TestEvaluateTasks(t *testing.T) {
	madeHub(t, "nanobeir/scifact", "bright-long/pony")
	dir := t.TempDir()
	stdout, stderr, status := run(t, "evaluate", "--model", "bm25", "--suite", "NanoSciFactRetrieval,bright-long/pony", "--collection", tinyCollection(t, dir),
		"--collection", "nanobeir/scifact", "--output", filepath.Join(dir, "out"), "--json")
	var results []evaluate.Result
	if err := json.Unmarshal([]byte(stdout), &results); err != nil || status != 0 {
		t.Fatalf("status %d, %v: %s", status, err, stderr)
	}
	got := map[string]evaluate.Result{}
	for _, r := range results {
		got[r.Collection] = r
	}
	if len(results) != 3 || got["tiny"].Documents != 2 || got["nanobeir-scifact"].Queries != 50 || got["bright-long-pony"].Split != "long" {
		t.Errorf("got %+v", results)
	}
}

// The protocols differ in BRIGHT's exclusions, in prompts, length and precision, and every result says which it is.
func TestFixtureProtocols(t *testing.T) {
	hub := madeHub(t, "bright-long/pony")
	hub.Repos["datasets/xlangai/BRIGHT"], hub.Commits["datasets/xlangai/BRIGHT"] = hub.Repos["datasets/mteb/BRIGHT"], "a75a0eb483f6a5233a6efc2d63d71540a4443dfb"
	dir := t.TempDir()
	model := filepath.Join(testdata.Fixtures(t), "tiny-llama", "retriever")
	settings := map[string]map[string]any{}
	for _, protocol := range []string{"clean", "paper"} {
		output := filepath.Join(dir, protocol)
		if _, stderr, status := run(t, "evaluate", "--model", model, "--suite", "bright-long/pony", "--output", output, "--protocol", protocol, "--no-cache"); status != 0 {
			t.Fatalf("status %d: %s", status, stderr)
		}
		content, err := os.ReadFile(filepath.Join(output, "results", "bright-long-pony.json"))
		if err != nil {
			t.Fatal(err)
		}
		var result evaluate.Result
		if err := json.Unmarshal(content, &result); err != nil {
			t.Fatal(err)
		}
		settings[protocol] = result.Settings
		found, err := evaluate.ReadRun(filepath.Join(output, "runs", "bright-long-pony.trec"))
		if err != nil {
			t.Fatal(err)
		}
		excluded := false
		for _, hit := range found.Hits["q3"] {
			excluded = excluded || hit.Document == "d4"
		}
		if excluded != (protocol == "paper") || len(found.Hits) == 0 {
			t.Errorf("%s: document d4, which query q3 excludes, is found: %v", protocol, excluded)
		}
	}
	if settings["clean"]["excluded_documents"] != true || settings["clean"]["protocol"] != "clean" || settings["clean"]["protocol_precision"] != nil {
		t.Errorf("clean: %v", settings["clean"])
	}
	paper := settings["paper"]
	if paper["protocol"] != "paper" || paper["query_prefix"] != "query:  " || paper["max_length"] != 2048.0 || paper["precision"] != "bf16" ||
		paper["protocol_precision"] != authorsPrecision || paper["excluded_documents"] != nil {
		t.Errorf("paper: %v", paper)
	}
}

func TestEvaluateSuiteErrors(t *testing.T) {
	hub := madeHub(t, "nanobeir/scifact")
	dir := t.TempDir()
	output := filepath.Join(dir, "out")
	for _, test := range []struct {
		name      string
		arguments []string
		status    int
		want      string
	}{
		{"unknown", []string{"--suite", "beir/scifakt"}, 1, `--suite beir/scifakt: "beir/scifakt" is neither a folder nor a benchmark or one of its tasks (revela tasks lists them)`},
		{"unknown collection", []string{"--collection", "beir/scifakt"}, 1,
			`--collection beir/scifakt: evaluate.collections[0]: "beir/scifakt" is neither a folder nor a benchmark or one of its tasks (revela tasks lists them)`},
		{"none", nil, 2, "evaluate: found neither --suite nor --collection, expected one (see revela evaluate --help)"},
		{"not on the hub", []string{"--suite", "nanobeir/nq"}, 1, "--suite nanobeir/nq: nanobeir/nq: download dataset mteb/NanoNQRetrieval at revision e3973b405feb9e94d07fd971d690d24d7f45264a: " +
			"no such repository, or it is private (HTTP 401): check the name, and for a private one set HF_TOKEN to a token that may read it (none is set)"},
		{"no mirror", []string{"--suite", "nanobeir/scifact", "--mirror", "DIR/absent"}, 1, "--suite nanobeir/scifact: nanobeir/scifact: mirror DIR/absent: no such folder"},
	} {
		arguments := append([]string{"evaluate", "--model", "bm25", "--output", output}, test.arguments...)
		for i := range arguments {
			arguments[i] = strings.ReplaceAll(arguments[i], "DIR", dir)
		}
		stdout, stderr, status := run(t, arguments...)
		if got := strings.ReplaceAll(stderr, dir, "DIR"); status != test.status || got != "revela: "+test.want+"\n" || stdout != "" {
			t.Errorf("%s: status %d\n got %s\nwant revela: %s", test.name, status, got, test.want)
		}
	}
	repository := hub.Repos["datasets/mteb/NanoSciFactRetrieval"]
	repository["corpus.jsonl"] = repository["corpus.jsonl"][strings.Index(repository["corpus.jsonl"], "\n")+1:]
	_, stderr, status := run(t, "evaluate", "--model", "bm25", "--output", output, "--suite", "nanobeir/scifact")
	if want := "2918 documents and 50 queries with judgements, expected 2919 and 50: the data is not that of mteb/NanoSciFactRetrieval at revision 8c5f7bbe90bb865f46c67710221afa7d9096251b\n"; status != 1 || !strings.HasSuffix(stderr, want) || strings.Count(stderr, "\n") != 1 {
		t.Errorf("status %d: %s", status, stderr)
	}
	if _, err := os.Stat(output); !os.IsNotExist(err) {
		t.Errorf("the output folder was made: %v", err)
	}
	// A task that cannot be read does not keep the others from being measured.
	stdout, stderr, status := run(t, "evaluate", "--model", "bm25", "--output", output, "--suite", "nanobeir/scifact", "--collection", tinyCollection(t, dir))
	if status != 1 || !strings.HasPrefix(stderr, "revela: --suite nanobeir/scifact: nanobeir/scifact: ") || strings.Count(stderr, "\n") != 1 || !strings.Contains(stdout, "| tiny | test | 1 | 2 |") {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
	if _, err := os.Stat(filepath.Join(output, "summary.json")); err != nil {
		t.Error(err)
	}
}

func TestTasks(t *testing.T) {
	stdout, _, status := run(t, "tasks")
	if status != 0 || !strings.Contains(stdout, "nanobeir") || !strings.Contains(stdout, "BRIGHT, 8 domains, long documents") {
		t.Errorf("status %d:\n%s", status, stdout)
	}
	stdout, _, status = run(t, "tasks", "beir/cqadupstack", "SciFact")
	if lines := strings.Count(stdout, "\n"); status != 0 || lines != 14 || !strings.Contains(stdout, "mteb/scifact@d56462d0") {
		t.Errorf("status %d, %d lines:\n%s", status, lines, stdout)
	}
	stdout, _, status = run(t, "tasks", "--json", "beir/arguana")
	var listed []listedTask
	if err := json.Unmarshal([]byte(stdout), &listed); err != nil || status != 0 || len(listed) != 1 {
		t.Fatalf("status %d, %v: %s", status, err, stdout)
	}
	a := listed[0]
	if a.Name != "beir/arguana" || a.Repository != "mteb/arguana" || !a.RemoveIdentical || a.Documents != 8674 || len(a.Published) < 7 {
		t.Errorf("got %+v", a)
	}
	if _, stderr, status := run(t, "tasks", "beir/none"); status != 1 || stderr != "revela: tasks: found \"beir/none\", expected a suite or a task (revela tasks lists them)\n" {
		t.Errorf("status %d: %s", status, stderr)
	}
}

func TestDownloadTask(t *testing.T) {
	madeHub(t, "bright/pony", "nanobeir/scifact")
	stdout, stderr, status := run(t, "download", "--task", "bright/pony", "nanobeir/scifact")
	if status != 0 || strings.Count(stdout, "\n") != 2 || !strings.Contains(stdout, "bright/pony\t") || !strings.Contains(stdout, "datasets--mteb--BRIGHT/snapshots/c26703e6600d97c579ee2985f16cf307db13ed85") {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
}
