package prepare

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"revela/data"
)

// randomText is a text of n words, of which share is replaced by other ones.
func randomText(seed uint64, n int, share float64) string {
	base, other := rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, 2))
	var words []string
	for range n {
		word := fmt.Sprintf("w%d", base.IntN(5000))
		if other.Float64() < share {
			word = fmt.Sprintf("x%d", other.IntN(5000))
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// Every pair above the limit but a few must be found, none below it.
func TestNearDuplicates(t *testing.T) {
	var docs strings.Builder
	const pairs = 300
	above := 0
	for i := range pairs {
		a, b := randomText(uint64(i), 100, 0), randomText(uint64(i), 100, float64(i)/pairs*0.1)
		if overlap(shingles(a), shingles(b)) >= minJaccard && plain(a) != plain(b) {
			above++
		}
		docs.WriteString(record(fmt.Sprintf("a%d", i), "", a) + record(fmt.Sprintf("b%d", i), "", b))
	}
	opt := sentencesOf(t, tree(t, map[string]string{"docs.jsonl": docs.String()}))
	exact, _ := runAndRead(t, opt)
	opt.Dedup, opt.Output = Near, filepath.Join(t.TempDir(), "groups.jsonl")
	near, _ := runAndRead(t, opt)
	t.Logf("%d pairs above the limit, %d found", above, near.Near)
	if near.Near > above || float64(near.Near) < 0.95*float64(above) || above < 50 {
		t.Errorf("%d pairs above the limit, %d found", above, near.Near)
	}
	if near.Duplicates != exact.Duplicates || near.Units != exact.Units-near.Near {
		t.Errorf("exact %+v, near %+v", exact, near)
	}
}

func TestContaminatedChunksAreRemoved(t *testing.T) {
	query := "how to open the red door"
	document := "This is the judged document " + randomText(1, 80, 0)
	unjudged := "This document is not judged " + randomText(2, 80, 0)
	words := strings.Fields(document)
	texts := map[string]string{
		"query":     "He asked: How to open the RED door? Nobody knew, " + randomText(3, 30, 0),
		"fifty":     randomText(4, 20, 0) + " " + strings.Join(words[5:60], " ") + " " + randomText(5, 20, 0),
		"short":     strings.Join(words[10:40], " "),
		"forty":     randomText(6, 30, 0) + " " + strings.Join(words[5:45], " ") + " " + randomText(7, 30, 0),
		"unjudged":  unjudged,
		"part":      "how to open the red doors " + randomText(8, 30, 0),
		"free":      randomText(9, 60, 0),
		"free too":  randomText(10, 60, 0),
		"tiny":      "red door",
		"longquery": "x " + strings.Join(strings.Fields(randomText(20, 30, 0))[3:18], " ") + " y " + randomText(11, 40, 0),
	}
	var docs strings.Builder
	for _, name := range []string{"query", "fifty", "short", "forty", "unjudged", "part", "free", "free too", "tiny", "longquery"} {
		docs.WriteString(record(name, "", texts[name]))
	}
	root := tree(t, map[string]string{
		"docs.jsonl":       docs.String(),
		"c/corpus.jsonl":   record("d1", "", document) + record("d2", "", unjudged),
		"c/queries.jsonl":  record("q1", "", query) + record("q2", "", "red door") + record("q3", "", randomText(20, 30, 0)),
		"c/qrels/test.tsv": "query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\td2\t0\n",
	})
	opt := sentencesOf(t, filepath.Join(root, "docs.jsonl"))
	opt.Decontaminate = []string{filepath.Join(root, "c")}
	sum, r := runAndRead(t, opt)
	kept := map[string]bool{}
	for _, line := range r.lines {
		for _, id := range line.IDs {
			kept[strings.TrimSuffix(id, "#0")] = true
		}
	}
	removed := map[string]string{}
	for _, u := range readLines[removedUnit](t, sum.Removed) {
		removed[strings.TrimSuffix(u.ID, "#0")] = u.Repeats
		if u.File != filepath.Join(root, "docs.jsonl") || u.Line == 0 {
			t.Errorf("%s is at %s:%d", u.ID, u.File, u.Line)
		}
	}
	want := map[string]string{"query": "c query q1", "fifty": "c document d1", "short": "c document d1", "longquery": "c query q3"}
	for name := range texts {
		id := strings.ReplaceAll(name, " ", "_")
		if removed[id] != want[name] || kept[id] != (want[name] == "") {
			t.Errorf("%s: removed for %q, want %q; in groups: %v", name, removed[id], want[name], kept[id])
		}
	}
	if sum.Contaminated != 4 || sum.Trained != 6 {
		t.Errorf("counts are %+v", sum)
	}
}

// A folder in BEIR layout gives its documents, not its queries or judgements.
func TestCollectionAsInput(t *testing.T) {
	root := tree(t, map[string]string{
		"c/corpus.jsonl": record("d1", "", long("One")) + record("d2", "", long("Two")), "c/queries.jsonl": record("q1", "", long("Query")),
		"c/qrels/test.tsv": "query-id\tcorpus-id\tscore\nq1\td1\t1\n", "other.txt": long("Three"),
	})
	sum, r := runAndRead(t, sentencesOf(t, root))
	if ids := fmt.Sprint(r.lines[0].IDs); sum.Broken != 0 || ids != "[d1#0 d2#0 other.txt#0]" {
		t.Errorf("groups hold %s, counts %+v", ids, sum)
	}
}

func TestUnitsTokensAndSections(t *testing.T) {
	text := "Before it.\n\n# Guide\n\n## Setup\n\n" + long("One") + " " + long("Two") + "\n\n## Empty\n\n## End\nDone here."
	root := tree(t, map[string]string{"a.md": text, "b.html": "<h1>Page</h1><p>Its text.</p><h2>Part</h2><p>More text.</p>"})
	opt := sentencesOf(t, root)
	opt.Unit, opt.GroupSize = Sections, 16
	_, r := runAndRead(t, opt)
	got := map[string]string{}
	for i, id := range r.lines[0].IDs {
		got[id] = r.lines[0].Names[i] + "|" + r.lines[0].Text[i]
	}
	want := map[string]string{
		"a.md#0": "Guide|Before it.", "a.md#1": "Guide > Setup|## Setup\n\n" + long("One"), "a.md#2": "Guide > Setup|" + long("Two"), "a.md#3": "Guide > End|## End\nDone here.",
		"b.html#0": "Page|Page\n\nIts text.", "b.html#1": "Page > Part|Part\n\nMore text.",
	}
	for id := range want {
		if got[id] != want[id] {
			t.Errorf("%s is %q, want %q", id, got[id], want[id])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d sections, want %d: %q", len(got), len(want), got)
	}
	content, err := os.ReadFile(filepath.Join(root, "a.md"))
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range r.lines[0].IDs {
		if from, to := r.lines[0].From[i], r.lines[0].To[i]; strings.HasPrefix(id, "a.md") && string(content[from:to]) != r.lines[0].Text[i] {
			t.Errorf("%s lies elsewhere than at %d to %d", id, from, to)
		}
	}
	opt = sentencesOf(t, filepath.Join(root, "a.md"))
	opt.Unit, opt.MaxTokens, opt.CountTokens = Tokens, 30, func(text string) int { return len(strings.Fields(text)) }
	_, r = runAndRead(t, opt)
	for _, line := range r.lines {
		for _, text := range line.Text {
			if n := len(strings.Fields(text)); n > 30 {
				t.Errorf("chunk of %d tokens: %q", n, text)
			}
		}
	}
}

// Groups written as Parquet are read as those written as lines.
func TestParquetGroups(t *testing.T) {
	root := corpus(t, Sentences)
	opt := sentencesOf(t, root)
	_, lines := runAndRead(t, opt)
	opt.Output = filepath.Join(t.TempDir(), "groups.parquet")
	_, rows := runAndReadGroups(t, opt)
	if len(lines.groups) != len(rows) || len(rows) < 20 {
		t.Fatalf("%d groups of lines, %d of Parquet", len(lines.groups), len(rows))
	}
	for i, g := range lines.groups {
		if fmt.Sprint(g.Source, g.Texts, g.Queries) != fmt.Sprint(rows[i].Source, rows[i].Texts, rows[i].Queries) {
			t.Fatalf("group %d is %+v, want %+v", i, rows[i], g)
		}
	}
}

// runAndReadGroups reads the groups alone.
func runAndReadGroups(t *testing.T, opt Options) (Summary, []data.Group) {
	t.Helper()
	sum, err := Run(context.Background(), opt, nil)
	if err != nil {
		t.Fatal(err)
	}
	groups, err := data.Open([]string{opt.Output}, data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer groups.Close()
	var list []data.Group
	for i := range groups.Len() {
		g, err := groups.Group(0, i)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, g)
	}
	return sum, list
}
