package prepare

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"revela/data/source"
)

func TestBadOptions(t *testing.T) {
	root := tree(t, map[string]string{"a.go": goFile("a", names("A", 4)...), "c.parquet": "", "d.csv": "a,b\n", "g.png": "", "e.txt": "One text.", "f.md": ""})
	in := func(name string) string { return filepath.Join(root, name) }
	const text, code = "expected " + source.Expected, "expected source code in Go, Python, JavaScript, TypeScript, Java, Rust, C, C++, Ruby or PHP with unit: functions"
	tests := map[string]struct {
		change func(*Options)
		want   string
	}{
		"no input":      {func(o *Options) { o.Input = nil }, "prepare.input: empty, expected files, folders or globs"},
		"missing input": {func(o *Options) { o.Input = []string{in("nothing")} }, "prepare.input: " + in("nothing") + ": no such file or folder, and no file fits it as a glob"},
		"picture":       {func(o *Options) { o.Input = []string{in("g.png")}; o.Unit, o.Queries = Sentences, NoQueries }, "prepare.input: " + in("g.png") + `: cannot read ".png" files, ` + text},
		"Parquet":       {func(o *Options) { o.Input = []string{in("*.parquet")}; o.Unit, o.Queries = Sentences, NoQueries }, "prepare: read input: " + in("c.parquet") + ": not a Parquet file, or a damaged one: reading magic header of parquet file: EOF"},
		"CSV":           {func(o *Options) { o.Input = []string{in("d.csv")}; o.Unit, o.Queries = Sentences, NoQueries }, "prepare: read input: " + in("d.csv") + ":1: columns are a, b, expected one of text, contents, content, body, doc_content"},
		"text as code":  {func(o *Options) { o.Input = []string{in("e.txt")} }, "prepare.input: " + in("e.txt") + `: cannot read ".txt" files, ` + code},
		"all excluded":  {func(o *Options) { o.Input = []string{root, "!" + in("*.go")} }, "prepare.input: no file to read in " + root + ", !" + in("*.go") + ", " + code},
		"broken glob":   {func(o *Options) { o.Input = []string{in("[a")} }, "prepare.input: glob " + in("[a") + ": syntax error in pattern"},
		"one text":      {func(o *Options) { o.Input = []string{in("[ef].*")}; o.Unit, o.Queries = Sentences, NoQueries }, "prepare: write " + "OUT" + ": no group came of the inputs, expected at least two texts that fit together"},
		"no output":     {func(o *Options) { o.Output = "" }, "prepare.output: empty, expected the path of the groups file"},
		"odd output":    {func(o *Options) { o.Output = "groups.csv" }, `prepare.output: "groups.csv", expected a name in .jsonl, .jsonl.gz, .jsonl.zst or .parquet`},
		"unit":          {func(o *Options) { o.Unit = "lines" }, `prepare.unit: "lines", expected one of sentences, tokens, sections, functions`},
		"tokens": {func(o *Options) {
			o.Unit, o.Queries, o.GroupBy, o.HoldoutBy = Tokens, NoQueries, ByDocument, ByDocument
		}, "prepare.unit: tokens, expected a tokenizer (lm.checkpoint) and data.max_length of at least one token beside the special ones"},
		"dedup":            {func(o *Options) { o.Dedup = "fuzzy" }, `prepare.dedup: "fuzzy", expected one of exact, near`},
		"no collection":    {func(o *Options) { o.Decontaminate = []string{root} }, "prepare.decontaminate: " + root + ": no queries.jsonl, expected a folder in BEIR layout: corpus.jsonl, queries.jsonl, qrels/"},
		"unknown":          {func(o *Options) { o.Queries = "labels" }, `prepare.queries: "labels", expected one of none, comments, headings, titles, chunks`},
		"group_by":         {func(o *Options) { o.GroupBy = "bm-25" }, `prepare.group_by: "bm-25", expected one of document, bm25, folder, package, random`},
		"holdout_by":       {func(o *Options) { o.HoldoutBy = "line" }, `prepare.holdout_by: "line", expected one of document, folder, package`},
		"group of one":     {func(o *Options) { o.GroupSize = 1 }, "prepare.group_size: 1, expected at least 2 (4 with queries: chunks)"},
		"chunks of two":    {func(o *Options) { o.Queries, o.GroupSize = Chunks, 2 }, "prepare.group_size: 2, expected at least 2 (4 with queries: chunks)"},
		"share":            {func(o *Options) { o.Holdout = 1 }, "prepare.holdout: 1 and prepare.tuning 0, expected shares from 0 whose sum is below 1"},
		"titles of code":   {func(o *Options) { o.Queries = Titles }, "prepare.queries: titles, expected none, comments or chunks with unit: functions"},
		"headings of code": {func(o *Options) { o.Queries = Headings }, "prepare.queries: headings, expected none, comments or chunks with unit: functions"},
		"no Markdown":      {func(o *Options) { o.Input = []string{in("e.txt")}; o.Unit, o.Queries = Sentences, Headings }, "prepare: write " + "OUT" + ": no group came of the inputs, expected at least two texts that fit together"},
		"comments of text": {func(o *Options) { o.Unit = Sentences }, "prepare.queries: comments, expected none, headings or titles with unit: sentences\n" +
			"prepare.group_by: package, expected document, bm25, folder or random with unit: sentences\n" +
			"prepare.holdout_by: package, expected document or folder with unit: sentences"},
		"holdout without queries": {func(o *Options) { o.Unit, o.Queries, o.Holdout = Sentences, NoQueries, 0.1 },
			"prepare.holdout: a collection needs queries, expected queries: headings or titles with unit: sentences"},
		"nothing held out": {func(o *Options) { o.Holdout = 1e-9 }, "prepare: holdout: 1e-09 of the corpus by package keeps out 0 texts without a usable query; expected more documents or a larger share"},
	}
	for name, test := range tests {
		opt := functions(t, root)
		dir := filepath.Dir(opt.Output)
		test.change(&opt)
		if opt.Unit == Sentences && name != "comments of text" {
			opt.GroupBy, opt.HoldoutBy = ByDocument, ByDocument
		}
		_, err := Run(context.Background(), opt, nil)
		if want := strings.Replace(test.want, "OUT", opt.Output, 1); err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", name, err, want)
		}
		if left := outputs(t, dir); len(left) != 0 {
			t.Errorf("%s: left behind %v", name, left)
		}
	}
}
