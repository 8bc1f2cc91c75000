package prepare

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"revela/data"
	"revela/data/jsonl"
)

// quickStart is the data of the quick start: Go's standard library.
func quickStart(t *testing.T) Options {
	t.Helper()
	output, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	src := filepath.Join(strings.TrimSpace(string(output)), "src")
	return Options{
		Input: []string{src, "!" + filepath.Join(src, "cmd")}, Output: filepath.Join(t.TempDir(), "groups.jsonl.zst"),
		Unit: Functions, Queries: Comments, GroupBy: ByPackage, GroupSize: 8, Holdout: 0.24, Tuning: 0.08, HoldoutBy: ByPackage, Seed: 1,
	}
}

// result is what a run has written.
type result struct {
	groups  []data.Group
	lines   []groupLine // as in the file
	corpus  []beirDocument
	queries []beirQuery
	qrels   string
}

func runAndRead(t *testing.T, opt Options) (Summary, result) {
	t.Helper()
	sum, err := Run(context.Background(), opt, nil)
	if err != nil {
		t.Fatal(err)
	}
	var r result
	groups, err := data.Open([]string{opt.Output}, data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer groups.Close()
	for i := range groups.Len() {
		group, err := groups.Group(0, i)
		if err != nil {
			t.Fatal(err)
		}
		r.groups = append(r.groups, group)
	}
	r.lines = readLines[groupLine](t, opt.Output)
	if sum.Holdout != nil {
		r.corpus = readLines[beirDocument](t, filepath.Join(sum.Holdout.Dir, "corpus.jsonl"))
		r.queries = readLines[beirQuery](t, filepath.Join(sum.Holdout.Dir, "queries.jsonl"))
		qrels, err := os.ReadFile(filepath.Join(sum.Holdout.Dir, "qrels", "test.tsv"))
		if err != nil {
			t.Fatal(err)
		}
		r.qrels = string(qrels)
	}
	return sum, r
}

// The rules of the quick start's data, checked on what was written, without the code that applies them.
func TestGoStandardLibrary(t *testing.T) {
	opt := quickStart(t)
	sum, r := runAndRead(t, opt)
	t.Logf("%+v\nholdout %+v\ntuning %+v", sum, *sum.Holdout, *sum.Tuning)
	if sum.Holdout.Keys < 50 || sum.Holdout.Documents < 2000 || sum.Holdout.Queries != maxQueries || sum.Groups < 400 || sum.Broken != 0 {
		t.Errorf("counts are far from Go 1.26's 77 packages, 3058 functions, 400 queries, 693 groups: %+v", sum)
	}
	evaluated := append(r.corpus, readLines[beirDocument](t, filepath.Join(sum.Tuning.Dir, "corpus.jsonl"))...)
	tuningQueries := readLines[beirQuery](t, filepath.Join(sum.Tuning.Dir, "queries.jsonl"))
	queries := append(r.queries, tuningQueries...)
	checkEvaluated(t, evaluated, r.queries)
	checkEvaluated(t, evaluated, tuningQueries)
	checkTraining(t, r.groups)
	checkLeaks(t, r, evaluated, queries)
}

var anyWord = regexp.MustCompile(`[\pL\d_]+`)

// spoken is text as its words alone, with a space around each.
func spoken(text string) string {
	return " " + strings.ToLower(strings.Join(anyWord.FindAllString(text, -1), " ")) + " "
}

func checkEvaluated(t *testing.T, evaluated []beirDocument, queries []beirQuery) {
	t.Helper()
	documents, sentences := map[string]beirDocument{}, map[string]bool{}
	var all strings.Builder
	for _, d := range evaluated {
		if _, twice := documents[d.ID]; twice || strings.ContainsAny(d.ID, " \t") {
			t.Errorf("id %q is used twice or holds white space", d.ID)
		}
		documents[d.ID] = d
		all.WriteString(spoken(d.Text) + "\n")
		if strings.Count(d.Text, "\n") < 2 || len(d.Text) < 60 || !strings.HasPrefix(d.Text, "func ") {
			t.Errorf("%s:%d is no function of 3 lines and 60 bytes", d.File, d.Line)
		}
	}
	code := all.String()
	for _, q := range queries {
		d, found := documents[strings.TrimPrefix(q.ID, "query:")]
		name := d.Name[strings.LastIndexByte(d.Name, '.')+1:]
		words := spoken(q.Text)
		if !found || sentences[words] || len(strings.Fields(words)) < 5 {
			t.Errorf("query %q of %s: no document, asked twice or less than 5 words", q.Text, q.ID)
		}
		sentences[words] = true
		if regexp.MustCompile(`(^|[^\pL\d_])` + name + `($|[^\pL\d_])`).MatchString(q.Text) {
			t.Errorf("query %q holds the name %s", q.Text, name)
		}
		if strings.Contains(code, words) {
			t.Errorf("query %q stands in evaluated code", q.Text)
		}
	}
}

func checkTraining(t *testing.T, groups []data.Group) {
	t.Helper()
	seen := map[string]bool{}
	for i, g := range groups {
		if len(g.Queries) != len(g.Texts) || len(g.Texts) != 8 && i < len(groups)-1 {
			t.Errorf("group %d has %d queries and %d texts", i, len(g.Queries), len(g.Texts))
		}
		for j, text := range g.Texts {
			if len(text) < 80 || len(strings.Fields(g.Queries[j])) < 5 || strings.Contains(g.Queries[j], "\n") {
				t.Errorf("group %d pair %d is too short or not on one line: %q %q", i, j, g.Queries[j], text)
			}
			if seen[text] {
				t.Errorf("group %d pair %d is there twice: %q", i, j, text)
			}
			seen[text] = true
		}
	}
}

func checkLeaks(t *testing.T, r result, evaluated []beirDocument, queries []beirQuery) {
	t.Helper()
	packages, lines, asked := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, d := range evaluated {
		packages[strings.TrimSuffix(d.ID, "."+strings.SplitN(d.Name, "#", 2)[0])] = true
		for line := range strings.Lines(d.Text) {
			lines[strings.TrimSpace(line)] = true
		}
	}
	for _, q := range queries {
		asked[spoken(q.Text)] = true
	}
	for i, g := range r.groups {
		for j, text := range g.Texts {
			shared, of := 0, 0
			for line := range strings.Lines(text) {
				if line = strings.TrimSpace(line); anyWord.MatchString(line) {
					of++
					if lines[line] {
						shared++
					}
				}
			}
			if float64(shared) > 0.6*float64(of) {
				t.Errorf("%s shares %d of %d lines with evaluated code", r.lines[i].IDs[j], shared, of)
			}
			if asked[spoken(g.Queries[j])] {
				t.Errorf("%s has a held-out query as its comment", r.lines[i].IDs[j])
			}
		}
		if packages[g.Source] {
			t.Errorf("package %s is trained on and evaluated", g.Source)
		}
	}
}

// readLines decodes a JSON Lines file.
func readLines[T any](t *testing.T, path string) []T {
	t.Helper()
	lines, err := jsonl.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer lines.Close()
	var list []T
	for lines.Next() {
		var value T
		if err := json.Unmarshal(lines.Line().Text, &value); err != nil {
			t.Fatal(err)
		}
		list = append(list, value)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}
