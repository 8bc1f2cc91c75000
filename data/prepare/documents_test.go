package prepare

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"revela/internal/testdata"
)

// sentences are options for text, nothing held out.
func sentencesOf(t *testing.T, input ...string) Options {
	return Options{
		Input: input, Output: filepath.Join(t.TempDir(), "groups.jsonl.gz"),
		Unit: Sentences, Queries: NoQueries, GroupBy: ByDocument, GroupSize: 4, HoldoutBy: ByDocument, Seed: 7,
	}
}

// long is a sentence of 100 words, so that no two fit in one chunk.
func long(name string) string { return name + strings.Repeat(" word", 98) + " end." }

func record(id, title, text string) string {
	return fmt.Sprintf("{\"_id\": %q, \"title\": %q, \"text\": %q}\n", id, title, text)
}

func TestInterleavingIsThePapers(t *testing.T) {
	var docs strings.Builder
	for _, d := range []struct {
		id     string
		chunks int
	}{{"a", 3}, {"b", 1}, {"c", 2}, {"d", 3}, {"e", 2}} {
		var text string
		for i := range d.chunks {
			text += long(fmt.Sprintf("%s%d", strings.ToUpper(d.id), i)) + " "
		}
		docs.WriteString(record(d.id, "", text))
	}
	sum, r := runAndRead(t, sentencesOf(t, tree(t, map[string]string{"docs.jsonl": docs.String()})))
	var got []string
	for _, line := range r.lines {
		got = append(got, strings.Join(line.IDs, " "))
	}
	want := []string{"a#0 b#0 c#0 d#0", "a#1 c#1 d#1 a#2", "d#2 e#0 e#1"}
	if !slices.Equal(got, want) {
		t.Errorf("groups are %q, want %q", got, want)
	}
	if text := r.groups[2].Texts[2]; text != long("E1") {
		t.Errorf("last text is %q", text)
	}
	if sum.Documents != 5 || sum.Units != 11 || sum.Trained != 11 {
		t.Errorf("counts are %+v", sum)
	}
}

func TestTextFilesByFolder(t *testing.T) {
	root := tree(t, map[string]string{
		"guide/one.md": "# One\n\n" + long("Alpha") + "\n\n" + long("Beta"), "guide/two.txt": long("Gamma"),
		"code/x.py": "def f():\n    return 1\n", "code/y.c": "int y;\n", "code/z.c": "char z;\n",
		"picture.png": "\x89PNG", ".git/config.txt": "hidden", "empty.txt": "\n",
	})
	opt := sentencesOf(t, root)
	opt.GroupBy = ByFolder
	sum, r := runAndRead(t, opt)
	if len(r.lines) != 2 || r.lines[0].Source != "" || len(r.lines[0].Text) != 4 {
		t.Fatalf("groups are %+v", r.lines) // what is left over of the folders comes together
	}
	texts := slices.Sorted(slices.Values(append(r.groups[0].Texts, r.groups[1].Texts...)))
	if want := []string{"# One\n\n" + long("Alpha"), long("Beta"), long("Gamma"), "char z;", "def f():\n    return 1", "int y;"}; !slices.Equal(texts, want) {
		t.Errorf("texts are %q, want %q", texts, want)
	}
	if sum.Skipped[".png"] != 1 || sum.Documents != 6 || sum.Units != 6 {
		t.Errorf("counts are %+v", sum)
	}
}

func TestGlobsAndExclusions(t *testing.T) {
	root := tree(t, map[string]string{
		"a/x.txt": "One.", "a/b/y.txt": "Two.", "a/b/z.md": "Three.", "a/gen/w.txt": "Four.", "c.txt": "Five.",
	})
	for _, test := range []struct {
		input []string
		want  string
	}{
		{[]string{"**/*.txt"}, "a/b/y.txt a/gen/w.txt a/x.txt c.txt"},
		{[]string{"a", "!a/b"}, "a/gen/w.txt a/x.txt"},
		{[]string{"*", "!**/gen", "!c.txt"}, "a/b/y.txt a/b/z.md a/x.txt"},
		{[]string{"c.txt", "a/*.txt", "a"}, "c.txt a/x.txt a/b/y.txt a/b/z.md a/gen/w.txt"},
	} {
		var input []string
		for _, entry := range test.input {
			name, not := strings.CutPrefix(entry, "!")
			if entry = filepath.Join(root, name); not {
				entry = "!" + entry
			}
			input = append(input, entry)
		}
		found, err := findInputs(sentencesOf(t, input...))
		if err != nil {
			t.Errorf("%v: %v", test.input, err)
			continue
		}
		var got []string
		for _, f := range found.files {
			got = append(got, strings.TrimPrefix(f.path, root+"/"))
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%v: got %v, want %s", test.input, got, test.want)
		}
	}
}

func TestTitlesAreQueries(t *testing.T) {
	var docs strings.Builder
	for i := range 40 {
		title := fmt.Sprintf("The history of town %d", i)
		docs.WriteString(record(fmt.Sprintf("town/%d", i), title, "# "+title+"\n\n"+long(fmt.Sprintf("Town%d", i))+" "+long("More")))
	}
	docs.WriteString(record("town/short", "Short", long("Short")))
	opt := sentencesOf(t, filepath.Join(tree(t, map[string]string{"docs.jsonl": docs.String()}), "*.jsonl"))
	opt.Queries, opt.Holdout = Titles, 0.3
	sum, r := runAndRead(t, opt)
	if sum.Holdout.Queries < 5 || sum.Holdout.Queries+sum.Trained+sum.LeftOver != 40 || sum.Unpaired+len(r.corpus)-len(r.queries) != 1 {
		t.Errorf("counts are %+v, holdout %+v", sum, sum.Holdout)
	}
	for _, g := range r.groups {
		for i, query := range g.Queries {
			if number := strings.TrimPrefix(query, "The history of town "); g.Texts[i] != long("Town"+number) {
				t.Errorf("query %q has the text %q", query, g.Texts[i])
			}
		}
	}
	for _, d := range r.corpus {
		if d.Title != "" || strings.Contains(d.Text, "history") || d.File == "" || d.Line == 0 {
			t.Errorf("document %+v gives its title away or lost its place", d)
		}
	}
}

func TestBrokenRecords(t *testing.T) {
	root := tree(t, map[string]string{
		"a.jsonl": record("1", "", long("One")) + "{\"_id\": \"2\"\n" + record("3", "", long("Three")) + "{\"text\": 5}\n[]\n{\"title\": \"x\"}\n{\"text\": \"\xff\"}\n" + record("8", "", long("Eight")),
		"b.txt":   "good line\nbad \xfe line\n",
	})
	opt := sentencesOf(t, root)
	var reported []string
	sum, err := Run(context.Background(), opt, func(e Event) {
		if e.Broken != nil {
			reported = append(reported, strings.TrimPrefix(e.Broken.Error(), root+"/"))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`a.jsonl:2: broken JSON: unexpected end of JSON input, expected {"_id": …, "title": …, "text": …}`,
		`a.jsonl:4: "text" is of type number, expected a text`,
		`a.jsonl:5: line is of type array, expected {"_id": …, "title": …, "text": …}`,
		`a.jsonl:6: object without "text", expected {"_id": …, "title": …, "text": …}`,
		`a.jsonl:7: invalid UTF-8: byte 11 is 0xff, expected UTF-8 text`,
		`b.txt:2: invalid UTF-8: byte 5 is 0xfe, expected UTF-8 text`,
	}
	if !slices.Equal(reported, want) {
		t.Errorf("reported:\n%s\nwant:\n%s", strings.Join(reported, "\n"), strings.Join(want, "\n"))
	}
	if sum.Broken != 6 || sum.Trained != 3 {
		t.Errorf("counts are %+v", sum)
	}
	opt.Strict = true
	_, err = Run(context.Background(), opt, nil)
	if err == nil || !strings.HasPrefix(err.Error(), "prepare: ") || !strings.HasSuffix(err.Error(), want[0]) || strings.Contains(err.Error(), "\n") {
		t.Errorf("strict: got %v", err)
	}
}

func TestBrokenGoFile(t *testing.T) {
	root := tree(t, map[string]string{"a.go": "package a\n\nfunc {\n", "b.go": goFile("a", names("A", 4)...)})
	opt := functions(t, root)
	var broken error
	sum, err := Run(context.Background(), opt, func(e Event) {
		if e.Broken != nil {
			broken = e.Broken
		}
	})
	if want := filepath.Join(root, "a.go") + ":3:6: expected 'IDENT', found '{'"; err != nil || sum.Broken != 1 || broken.Error() != want {
		t.Errorf("got %v, %v, %+v; want %s", err, broken, sum, want)
	}
}

// Real collections, every layout: all text comes into groups, and twice the same.
func TestDataCollections(t *testing.T) {
	for _, name := range []string{"text-wikipedia194", "text-tldr", "text-pydocs-snippets"} {
		input := testdata.Data(t, name, "docs.jsonl")
		for _, by := range []string{ByDocument, ByFolder, AtRandom} {
			opt := sentencesOf(t, input)
			opt.GroupBy, opt.GroupSize = by, 16
			sum, r := runAndRead(t, opt)
			t.Logf("%s by %s: %d documents, %d chunks, %d groups in %.2f s", name, by, sum.Documents, sum.Units, sum.Groups, sum.Seconds)
			if sum.Broken != 0 || sum.Trained+sum.LeftOver != sum.Units || sum.LeftOver > 1 {
				t.Errorf("%s by %s: counts are %+v", name, by, sum)
			}
			if n := len(r.groups[0].Texts); n != 16 {
				t.Errorf("%s by %s: first group has %d texts, want 16", name, by, n)
			}
		}
	}
}
