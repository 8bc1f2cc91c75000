package reproduce

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// comparable is a plan whose folder has a summary with these scores.
func comparable(t *testing.T, metrics, means string) *Plan {
	t.Helper()
	dir := t.TempDir()
	summary := fmt.Sprintf(`{"model": "m", "metrics": {%s}, "means": {%s}, "intervals": {"coir-cosqa": {"ndcg@10": [0.2, 0.3]}}}`, metrics, means)
	if err := os.WriteFile(filepath.Join(dir, "summary.json"), []byte(summary), 0o644); err != nil {
		t.Fatal(err)
	}
	corpus := &Corpus{Tolerance: Tolerance{Mean: 0.01, Task: 0.03}, Published: Tolerance{Mean: 0.001, Task: 0.002}, Note: "a note"}
	e := Experiment{Name: "e", Table: 13, Suite: "coir", Corpus: corpus,
		Scores: map[string]float64{"coir": 0.458, "coir/cosqa": 0.248, "coir/codetrans-dl": 0.342, "coir/apps": 0.1}}
	return &Plan{Experiment: e, Folder: dir}
}

func score(collection string, value float64) string {
	return fmt.Sprintf(`%q: {"ndcg@10": %g}`, collection, value)
}

// Where the suite's mean was measured it decides, and single tasks far off are only shown; else every task decides.
func TestVerdict(t *testing.T) {
	tasks := score("coir-cosqa", 0.26) + ", " + score("coir-codetrans-dl", 0.4)
	for _, test := range []struct{ means, outside string }{
		{score("coir", 0.4679), ""},
		{score("coir", 0.4681), "e: coir: measured 0.4681, published 0.4580: the difference +0.0101 is outside the tolerance of 0.0100"},
		{score("coir", 0.44), "e: coir: measured 0.4400, published 0.4580: the difference -0.0180 is outside the tolerance of 0.0100"},
		{"", "e: coir/codetrans-dl: measured 0.4000, published 0.3420: the difference +0.0580 is outside the tolerance of 0.0300"},
	} {
		p := comparable(t, tasks, test.means)
		c, err := p.Compare(&Record{Steps: []Done{{"train", []string{"train", "--set", "a=[b]"}, 3}}})
		if err != nil {
			t.Fatal(err)
		}
		verdict := c.Verdict()
		var outside *OutsideError
		if (verdict == nil) != (test.outside == "") || verdict != nil && (verdict.Error() != test.outside || !errors.As(verdict, &outside)) || c.Within != (verdict == nil) {
			t.Errorf("%s: %v, within %v", test.means, verdict, c.Within)
		}
	}
}

func TestComparisonPage(t *testing.T) {
	p := comparable(t, score("coir-cosqa", 0.26), "")
	c, err := p.Compare(&Record{Steps: []Done{{"train", []string{"train", "--set", "a=[b]"}, 3}}})
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(p.Folder, "comparison.md"))
	if err != nil || string(page) != c.Markdown() {
		t.Fatalf("%v\n%s", err, page)
	}
	for _, want := range []string{"| coir/cosqa | 0.248 | 0.2600 | 0.2000 – 0.3000 | +0.0120 | 0.030 | within |", "arXiv 2506.16552, table 13",
		"**within**", "Published, not measured: coir, coir/apps, coir/codetrans-dl.", "a note", "| train | 3.0 | `revela train --set 'a=[b]'` |"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
	if info, err := os.Stat(filepath.Join(p.Folder, "comparison.json")); err != nil || info.Size() == 0 {
		t.Error(err)
	}
}

func TestCompareErrors(t *testing.T) {
	p := comparable(t, score("other", 0.26), "")
	if _, err := p.Compare(&Record{}); err == nil || err.Error() != "compare: e: nothing that was published has been measured" {
		t.Errorf("got %v", err)
	}
	p.Folder = t.TempDir()
	if _, err := p.Compare(&Record{}); err == nil || !strings.HasSuffix(err.Error(), "summary.json: no such file or directory") {
		t.Errorf("got %v", err)
	}
}

// A step counts as done by its own command alone, and only as long as its output is there.
func TestRecord(t *testing.T) {
	p := &Plan{Experiment: Experiment{Name: "e"}, Folder: filepath.Join(t.TempDir(), "e")}
	r, err := p.OpenRecord()
	if err != nil {
		t.Fatal(err)
	}
	output := filepath.Join(t.TempDir(), "out")
	a, b := Step{"a", []string{"a", "1"}, output}, Step{"b", []string{"b"}, p.Folder}
	for _, s := range []Step{a, b} {
		if err := r.Add(s, 1.5, "v"); err != nil {
			t.Fatal(err)
		}
	}
	if r, err = p.OpenRecord(); err != nil || len(r.Steps) != 2 || r.Steps[0].Seconds != 1.5 {
		t.Fatalf("%+v, %v", r, err)
	}
	if r.Has(a) || !r.Has(b) {
		t.Error("a step without its output is done, or one with it is not")
	}
	if err := os.WriteFile(output, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if !r.Has(a) || r.Has(Step{"a", []string{"a", "2"}, output}) || r.Has(Step{"a", a.Args, ""}) {
		t.Error("another command counts, or a step without output")
	}
	if r.Keep([]Step{b}); r.Has(a) || !r.Has(b) {
		t.Errorf("kept %+v", r.Steps)
	}
	if err := os.WriteFile(filepath.Join(p.Folder, "reproduce.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := p.OpenRecord(); err == nil || !strings.HasPrefix(err.Error(), "read the record of steps: ") {
		t.Errorf("got %v", err)
	}
}
