package reproduce

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"revela/config"
	"revela/evaluate/tasks"
)

// paper loads the repository's experiments; the test stands in its root from now on.
func paper(t *testing.T) []Experiment {
	t.Helper()
	t.Chdir("..")
	all, err := Load(DefaultDir)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Every experiment has a valid configuration in each of its ways, published numbers of its suite, models of a known shape,
// and similarities as its name says.
func TestPaperExperiments(t *testing.T) {
	all := paper(t)
	registry, err := tasks.Load()
	if err != nil {
		t.Fatal(err)
	}
	runs := map[string]string{} // run folder → what is trained there
	for _, e := range all {
		mean, ok := e.PublishedMean(registry)
		if !ok || mean < 0.1 || mean > 0.9 {
			t.Errorf("%s: published mean %v, %v", e.Name, mean, ok)
		}
		p, err := NewPlan(e, Options{})
		if err != nil {
			t.Error(err)
			continue
		}
		for _, o := range []Options{{Tiny: true}, {Published: true}, {Tasks: []string{"beir/scifact"}}} {
			if _, err := NewPlan(e, o); (err != nil) != (o.Published && e.Adapter == "") {
				t.Errorf("%s, %+v: %v", e.Name, o, err)
			}
		}
		checkPaperConfig(t, e, p.Config)
		settings := strings.Join(p.settings(), " ")
		if other, found := runs[p.Training]; found && other != settings {
			t.Errorf("%s: two trainings in %s:\n%s\n%s", e.Name, p.Training, other, settings)
		}
		runs[p.Training] = settings
	}
	if len(all) < 80 || len(runs) < 60 {
		t.Errorf("only %d experiments of %d trainings", len(all), len(runs))
	}
}

func checkPaperConfig(t *testing.T, e Experiment, c *config.Config) {
	t.Helper()
	want := "bf16"
	if e.Variant == "fp32" {
		want = "fp32"
	}
	if c.Objective.SimilarityPrecision != want || (e.Variant != "") != strings.HasSuffix(e.Name, "-fp32") {
		t.Errorf("%s: similarities in %s, variant %q", e.Name, c.Objective.SimilarityPrecision, e.Variant)
	}
	for _, name := range []string{c.Retriever.Checkpoint, c.LM.Checkpoint} {
		if Shapes[name] == "" {
			t.Errorf("%s: no shape of %s", e.Name, name)
		}
	}
	if c.Retriever.LoRA.Rank != 256 || c.Train.Steps < 10000 {
		t.Errorf("%s: rank %d, %d steps", e.Name, c.Retriever.LoRA.Rank, c.Train.Steps)
	}
	size := 16
	for _, half := range []string{"-3b", "-8b", "-batch8"} {
		if strings.Contains(e.Name, half) {
			size = 8
		}
	}
	if strings.Contains(e.Name, "-batch4") {
		size = 4
	}
	if c.Data.GroupSize != size {
		t.Errorf("%s: groups of %d, want %d", e.Name, c.Data.GroupSize, size)
	}
}

// An experiment is compared with its own column of its own table.
func TestPublishedScores(t *testing.T) {
	all := paper(t)
	registry, err := tasks.Load()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]map[string]float64{
		"coir-135m":               {"coir": 0.484, "coir/codetrans-contest": 0.709, "coir/codesearchnet": 0.499},
		"beir-3b":                 {"beir-paper": 0.452, "beir/scifact": 0.733},
		"beir-3b-code":            {"beir-paper": 0.456, "beir/quora": 0.856},
		"bright-8b":               {"bright": 0.178, "bright/pony": 0.02},
		"beir-135m-lm135m":        {"beir-paper": 0.313, "beir/scifact": 0.524},
		"coir-1b-batch4-fp32":     {"coir": 0.559},
		"coir-1b-contriever-code": {"coir": 0.521},
	} {
		e, err := Find(all, name)
		if err != nil {
			t.Error(err)
			continue
		}
		got, _ := (&Plan{Experiment: e}).published(registry)
		for key, score := range want {
			if got[key] != score {
				t.Errorf("%s: %s is %v, want %v", name, key, got[key], score)
			}
		}
	}
}

func TestPlanOfPublishedAdapter(t *testing.T) {
	e, err := Find(paper(t), "coir-3b")
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewPlan(e, Options{Published: true, Tasks: []string{"coir/cosqa"}, Set: []string{"device=cpu", "evaluate.protocol=clean", "train.steps=3"}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"evaluate --model meta-llama/Llama-3.2-3B --adapter trumancai/Revela-code-3b@974f4d8e7ff5d5439cc1863088948249f612c284 --pooling eos" +
			" --suite coir/cosqa --protocol clean --output runs/reproduce/coir-3b-published --set device=cpu",
		"reproduce --only compare --tasks coir/cosqa --published --set device=cpu --set evaluate.protocol=clean --set train.steps=3 coir-3b",
	}
	for i, step := range p.Steps {
		if got := Shell(step.Args); i >= len(want) || got != want[i] {
			t.Errorf("step %d: %s", i, got)
		}
	}
	if len(p.Steps) != len(want) || p.tolerance("coir") != 0.005 || p.tolerance("coir/cosqa") != 0.01 {
		t.Errorf("%d steps, tolerance %v and %v", len(p.Steps), p.tolerance("coir"), p.tolerance("coir/cosqa"))
	}
}

func TestPlanErrors(t *testing.T) {
	e, err := Find(paper(t), "bright-8b")
	if err != nil {
		t.Fatal(err)
	}
	for want, o := range map[string]Options{
		"bright-8b: its authors have not published the adapter of this training":                                        {Published: true},
		"bright-8b: found tasks at the scale tiny, which has its own collection":                                        {Tiny: true, Tasks: []string{"beir/nq"}},
		`bright-8b: found "beir/none", expected a suite or a task (revela tasks lists them)`:                            {Tasks: []string{"beir/none"}},
		"bright-8b: train.steps: found 0, expected a number of steps, which names the checkpoint to export":             {Set: []string{"train.steps=0"}},
		`bright-8b: --set train.step=3: found an unknown key, expected one of the contract (did you mean train.steps?)`: {Set: []string{"train.step=3"}},
		"bright-8b: found a published adapter at the scale tiny, expected one of the two":                               {Tiny: true, Published: true},
	} {
		if _, err := NewPlan(e, o); err == nil || err.Error() != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
}

func TestLoadErrors(t *testing.T) {
	const good = `title: T
config: c.yaml
groups: [{id: a/b, revision: main, number: 3}]
tolerance: {mean: 0.01, task: 0.02}
published: {mean: 0.01, task: 0.02}
trainings:
  - name: t
    measured: [{name: e, table: 1, suite: coir, system: S}]
`
	for _, test := range []struct{ from, to, want string }{
		{"title: T", "titel: T", "yaml: unmarshal errors: line 1: field titel not found in type reproduce.Corpus"},
		{"config: c.yaml\n", "", "config and title are both needed"},
		{"mean: 0.01", "mean: 0", "tolerance and published need a mean and a task above 0"},
		{"a/b", "b", `groups: "b" at revision "main" with 3 groups, expected org/name, a revision and a number`},
		{", system: S", "", `training "t": "e": name, table, suite, and system or scores are needed`},
		{"name: t\n", "name: t\n    set: [1]\n", "line 8: found something else, expected a mapping of configuration keys"},
		{"suite: coir, system: S}", "suite: coir, system: S}, {name: e, table: 1, suite: coir, system: S}", `the name "e" is already used in DIR/x.yaml`},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "x.yaml"), []byte(strings.Replace(good, test.from, test.to, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Load(dir)
		want := "read experiments: DIR/x.yaml: " + test.want
		if err == nil || strings.ReplaceAll(err.Error(), dir, "DIR") != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
	if _, err := Load(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no files") {
		t.Errorf("got %v", err)
	}
}

func TestSettingsKeepTheirOrder(t *testing.T) {
	dir := t.TempDir()
	content := "title: T\nconfig: c\ngroups: [{id: a/b, revision: r, number: 1}]\ntolerance: {mean: 1, task: 1}\npublished: {mean: 1, task: 1}\n" +
		"set: {b.z: 1.0e-4, a: [x, y]}   # why\ntrainings: [{name: t, set: {c: \"q: \"}, measured: [{name: e, table: 1, suite: coir, system: S}]}]\n"
	if err := os.WriteFile(filepath.Join(dir, "x.yaml"), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	all, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(all[0].Set, " | "); got != `b.z=1.0e-4 | a=[x, y] | c="q: "` {
		t.Errorf("got %s", got)
	}
}
