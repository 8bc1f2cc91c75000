package tasks

import (
	"math"
	"slices"
	"strings"
	"testing"

	"revela/evaluate"
)

func registry(t *testing.T) *Registry {
	t.Helper()
	r, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// names of the tasks that a name stands for.
func names(t *testing.T, r *Registry, name string) []string {
	t.Helper()
	tasks, err := r.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, task := range tasks {
		found = append(found, task.Name)
	}
	return found
}

func TestSuites(t *testing.T) {
	r := registry(t)
	for name, want := range map[string]int{
		"beir": 14 + 12, "beir-paper": 13, "coir": 8 + 6 + 6, "bright": 12, "bright-long": 8, "bright-v1.1": 20, "nanobeir": 13,
		"beir/cqadupstack": 12, "CQADupstackRetrieval": 12, "COIRCodeSearchNetRetrieval": 6, "beir/scifact": 1, "SciFact": 1, "BEIR/SciFact": 1,
	} {
		if got := names(t, r, name); len(got) != want {
			t.Errorf("%s: %d tasks, want %d: %v", name, len(got), want, got)
		}
	}
	if got := names(t, r, "beir-paper"); slices.Contains(got, "beir/msmarco") || slices.Contains(got, "beir/cqadupstack/gis") {
		t.Errorf("the paper's 13 tasks are without MS MARCO and CQADupStack, got %v", got)
	}
	_, err := r.Find("beir/scifakt")
	if err == nil || err.Error() != `found "beir/scifakt", expected a suite or a task (revela tasks lists them)` {
		t.Errorf("got %v", err)
	}
}

// mteb drops documents with the query's id in these tasks of BEIR, and in no other.
func TestIdenticalIDs(t *testing.T) {
	var got []string
	for _, task := range registry(t).Tasks {
		if task.RemoveIdentical {
			got = append(got, task.Task)
		}
	}
	if want := []string{"ArguAna", "FEVER", "FiQA2018", "MSMARCO", "QuoraRetrieval"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// The published means are the means of the published scores, to the digit that the paper prints.
func TestPublishedMeans(t *testing.T) {
	r := registry(t)
	checked := 0
	for _, p := range r.Published {
		for _, suite := range r.Suites {
			published, ok := p.Scores[suite.Name]
			if !ok {
				continue
			}
			checked++
			sum := 0.0
			for _, name := range suite.Of {
				score, ok := p.Scores[name]
				if !ok {
					t.Errorf("%s has a mean of %s, but no score of %s", p.System, suite.Name, name)
				}
				sum += score
			}
			if mean := sum / float64(len(suite.Of)); math.Abs(mean-published) > 0.00055 {
				t.Errorf("%s: the mean over %s is %.5f, published %.5f", p.System, suite.Name, mean, published)
			}
		}
	}
	if checked < 20 {
		t.Errorf("%d means checked", checked)
	}
}

// A suite's mean counts a group once, and a missing part leaves none.
func TestAggregates(t *testing.T) {
	r := registry(t)
	tasks, err := r.Find("beir")
	if err != nil {
		t.Fatal(err)
	}
	var entries []evaluate.Entry
	var results []evaluate.Result
	for _, task := range tasks {
		name, score := CollectionName(task.Name), 0.5
		if strings.HasPrefix(name, "beir-cqadupstack") {
			score = 0.2
		}
		entries = append(entries, evaluate.Entry{Name: name, Task: true})
		results = append(results, evaluate.Result{Collection: name, Metrics: map[string]float64{"ndcg@10": score}})
	}
	got := map[string]float64{}
	for _, mean := range evaluate.Aggregated(results, r.Aggregates(entries)) {
		got[mean.Collection] = mean.Metrics["ndcg@10"]
	}
	if len(got) != 3 || math.Abs(got["beir-cqadupstack"]-0.2) > 1e-12 || math.Abs(got["beir-paper"]-0.5) > 1e-12 || math.Abs(got["beir"]-(14*0.5+0.2)/15) > 1e-12 {
		t.Errorf("got %v", got)
	}
	if got := r.Aggregates(entries[1:]); len(got) != 1 || got[0].Name != "beir-cqadupstack" {
		t.Errorf("without ArguAna: got %+v", got)
	}
}

func TestBadRegistry(t *testing.T) {
	const task = `{name: a/b, task: T, repository: o/n, revision: 0123456789abcdef0123456789abcdef01234567, split: test, documents: 1, queries: 1, languages: []}`
	for _, test := range []struct{ content, want string }{
		{"tasks: [" + task + ", " + task + "]", `name "a/b" is used twice or empty`},
		{"tasks: [" + strings.Replace(task, "0123456789abcdef0123456789abcdef01234567", "main", 1) + "]", `a/b: repository "o/n" at revision "main", expected org/name and a commit`},
		{"tasks: [" + strings.Replace(task, "split: test", "layout: other, split: test", 1) + "]", `a/b: layout "other"`},
		{"suites: [{name: s, of: [a/b]}]", `s: unknown part "a/b"`},
		{"tasks: [" + task + "]\npublished: [{system: X, scores: {a/b: 48.7}}]", `published scores of X: "a/b" has 48.7`},
		{"task: []", "field task not found"},
	} {
		if _, err := parse([]byte(test.content)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", test.content, err, test.want)
		}
	}
}
