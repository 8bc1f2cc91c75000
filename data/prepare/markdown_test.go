package prepare

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"revela/data/source"
)

func TestSections(t *testing.T) {
	const text = "---\ntitle: x\n---\nBefore it.\n\n# The [Guide](u) to `a_b` &amp; *more* #\nFirst text.\n\n" +
		"```\n# no heading\n```\n\nUnder\nlined\n---\nSecond text.\n## Empty\n\n---\n\n  ### Usage\r\n\nThird\r\ntext.\n" +
		"> # Quoted\n\n#hashtag\n===\nFourth.\n##\nFifth.\n#### By \\#1 <https://u.x>\nSixth."
	want := []string{
		"The Guide to a_b & more|First text.\n\n```\n# no heading\n```", "Under lined|Second text.", "Empty|---",
		"Usage|Third\r\ntext.\n> # Quoted", "#hashtag|Fourth.", "|Fifth.", "By #1 https://u.x|Sixth.",
	}
	var got []string
	for _, s := range parseSections([]byte(text)) {
		got = append(got, s.Heading+"|"+strings.TrimSpace(text[s.Start:s.End]))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q, want\n%q", got, want)
	}
	for _, text := range []string{"", "No heading.", "---", "---\ntitle: x\n", "#", "# x"} {
		for _, s := range parseSections([]byte(text)) {
			if s.Start != len(text) || s.End != len(text) {
				t.Errorf("%q: text of %q is at %v", text, s.Heading, s.Start)
			}
		}
	}
}

func TestHeadingsAreQueries(t *testing.T) {
	d := document{
		id: "a.md", file: "in/a.md", ownFile: true, folder: ".", Document: source.Document{Line: 1, Markdown: true,
			Text: "Before.\n\n# Guide\n\n## Installation\n\n" + long("One") + "\n" + long("Two") + "\n\n### On all systems\nText.\n\n## No text\n\n---\n\n## Usage\nRun it.\n\n# 1.2.3\nFix."},
	}
	var got []string
	err := cutter{}.headings(d, func(u unit) error {
		got = append(got, fmt.Sprintf("%s|%s|%d|%s|%s|%v", u.id, u.name, u.line, u.query, u.text, u.usable && u.sentence == u.query))
		return nil
	})
	want := []string{
		"a.md#1|Guide > Installation|5|Guide: Installation|" + long("One") + "|true",
		"a.md#2|Guide > Installation > On all systems|10|On all systems|Text.|true",
		"a.md#4|Guide > Usage|17|Guide: Usage|Run it.|true",
		"a.md#5|1.2.3|20|Guide: 1.2.3|Fix.|false",
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, got\n%s\nwant\n%s", err, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, test := range []struct{ title, heading, want string }{
		{"Guide", "Guide", "Guide"}, {"", "Usage", "Usage"}, {"Guide", "Usage", "Guide: Usage"}, {"Guide", "", ""}, {"Guide", "(Usage)!", "Guide: (Usage)!"}, {"Guide", "Its usage", "Its usage"},
		{"Changes", "[1.2.3] - 2019-12-24", "Changes: [1.2.3] - 2019-12-24"}, {"Guide", "安装", "安装"},
	} {
		if got := headingQuery(test.title, test.heading); got != test.want {
			t.Errorf("title %q, heading %q: got %q, want %q", test.title, test.heading, got, test.want)
		}
	}
}

// place finds a document's name that falls on a side of the split by document or, with the same name, by folder.
func place(want side, share float64, pattern string) string {
	s := &splitter{by: ByDocument, holdout: share}
	for i := 0; ; i++ {
		if name := fmt.Sprintf(pattern, i); s.side(unit{document: name}) == want {
			return name
		}
	}
}

// The rules against leaks, over files and records, held out by document and by folder, grouped in every way.
func TestHeadingsHeldOut(t *testing.T) {
	section := func(heading, name string) string { return "## " + heading + "\n\n" + long(name) + "\n\n" }
	for _, by := range []string{ByDocument, ByFolder} {
		pattern := "d%d.md"
		if by == ByFolder {
			pattern = "d%d"
		}
		test, train := place(heldOut, 0.5, pattern), place(training, 0.5, pattern)
		if by == ByFolder {
			test, train = test+"/a.md", train+"/a.md"
		}
		root := tree(t, map[string]string{
			test: "# Held\n\n" + "## How to sail\n\nSet the sails.\nLift the anchor.\nGo.\n\n" + section("Twice asked", "Twice1") + section("Twice asked", "Twice2") +
				section("Stands elsewhere", "Hides stands, elsewhere") + section("Usage", "Use"),
			train: "# Train\n\n" + section("How to sail", "Other") + "## A near copy\n\nSet the sails.\nLift the anchor.\nStay.\n\n" + section("Very good one", "Good1") +
				section("Very good two", "Good2") + section("Very good three", "Good3") + section("Usage", "Good4"),
			"notes.txt": "## Not Markdown\n\nAt all.", "more.jsonl": record("x", "X", "## No Markdown\n\nEither."),
		})
		for _, groupBy := range []string{ByDocument, BM25, ByFolder, AtRandom} {
			opt := sentencesOf(t, root)
			opt.Queries, opt.Holdout, opt.HoldoutBy, opt.GroupBy = Headings, 0.5, by, groupBy
			sum, r := runAndRead(t, opt)
			var asked []string
			for _, q := range r.queries {
				asked = append(asked, q.ID+"|"+q.Text)
			}
			slices.Sort(asked)
			want := []string{"query:" + test + "#1|How to sail", "query:" + test + "#5|Held: Usage"}
			if !slices.Equal(asked, want) || len(r.corpus) != 5 || sum.Holdout.InTexts != 1 || sum.Holdout.Keys != 1 {
				t.Errorf("by %s: queries are %q, want %q; %d documents, %+v", by, asked, want, len(r.corpus), sum.Holdout)
			}
			var pairs []string
			for i, g := range r.groups {
				for j, query := range g.Queries {
					pairs = append(pairs, query+"|"+g.Texts[j]+"|"+r.lines[i].IDs[j])
				}
			}
			slices.Sort(pairs)
			want = []string{"Train: Usage|" + long("Good4") + "|" + train + "#6", "Very good one|" + long("Good1") + "|" + train + "#3",
				"Very good three|" + long("Good3") + "|" + train + "#5", "Very good two|" + long("Good2") + "|" + train + "#4"}
			if !slices.Equal(pairs, want) || sum.Asked != 1 || sum.Copies != 1 || sum.Duplicates != 0 || sum.NoHeadings != 2 || sum.Documents != 4 {
				t.Errorf("by %s in groups by %s: trained on\n%q, want\n%q; %+v", by, groupBy, pairs, want, sum)
			}
		}
	}
}

func TestMarkdownRecords(t *testing.T) {
	docs := record("guide/a.md", "Guide", "## Usage\n\nRun it.\n\n## Removing it\n\nDelete it.") + record("b.MARKDOWN", "", "# One\n\nA word.\n") + record("c.rst", "C", "Usage\n=====\n\nRun it again.")
	opt := sentencesOf(t, filepath.Join(tree(t, map[string]string{"docs.jsonl": docs}), "*"))
	opt.Queries = Headings
	sum, r := runAndRead(t, opt)
	if len(r.groups) != 1 || !slices.Equal(r.groups[0].Queries, []string{"Guide: Usage", "Removing it"}) || !slices.Equal(r.groups[0].Texts, []string{"Run it.", "Delete it."}) {
		t.Errorf("groups are %+v", r.groups)
	}
	if sum.NoHeadings != 1 || sum.Unpaired != 1 || sum.Units != 3 {
		t.Errorf("counts are %+v", sum)
	}
}
