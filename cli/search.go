package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"strings"

	"github.com/urfave/cli/v2"

	"revela/config"
	"revela/encode"
	"revela/evaluate"
)

// typedTopK is how many documents a typed query shows.
const typedTopK = 10

func searchCommand() command {
	own := append(modelFlags(&cli.StringFlag{Name: "model", Usage: modelUsage}),
		&cli.StringFlag{Name: "corpus", Usage: "`FILE` to search: texts (JSON Lines as encode reads them), or vectors (F.npy as encode writes them)"},
		&cli.StringFlag{Name: "query", Usage: "one query, a `TEXT`"},
		&cli.StringFlag{Name: "queries", Usage: "`FILE` of queries, JSON Lines"},
		&cli.StringFlag{Name: "output", Usage: "run `FILE` in TREC's layout for --queries"},
		&cli.IntFlag{Name: "top-k", Usage: "documents a query, `N`", DefaultText: "10 for --query, else evaluate.top_k"},
	)
	return command{
		name:    "search",
		summary: "find the documents nearest to a query",
		details: "Exact search over a corpus of texts, which is encoded on the way, or of vectors. For a typed query prints\n" +
			"rank, score, title or name, place (file:line) and first lines of each document, as far as the corpus has them;\n" +
			"a corpus of vectors has ids alone. For a file of queries writes a run. Embeddings of texts are kept as evaluate\n" +
			"keeps them, so that the next search over the same corpus does not encode it again.",
		examples: []string{
			"revela search --model runs/quickstart/revela/model --corpus runs/quickstart/data/holdout/corpus.jsonl --query \"parse a duration\"",
			"revela search --model runs/example/model --corpus runs/scifact.npy --queries data/scifact/queries.jsonl --output run.trec",
		},
		flags: append(append(append(own, prefixFlags()...), batchFlags()...), noCacheFlag(), jsonFlag()),
		run:   runSearch,
	}
}

func runSearch(ctx *cli.Context) error {
	if err := checkSearch(ctx); err != nil {
		return err
	}
	own := maps.Clone(modelKeys)
	own["top-k"] = "evaluate.top_k"
	c, err := configuration(ctx, own)
	if err != nil {
		return err
	}
	var queries []evaluate.Document
	if ctx.IsSet("queries") {
		if queries, err = readQueries(ctx.String("queries")); err != nil {
			return err
		}
	}
	e, err := openModel(ctx, c, true)
	if err != nil {
		return err
	}
	defer e.Close()
	if ctx.IsSet("query") {
		return searchTyped(ctx, c, e)
	}
	return searchFile(ctx, c, e, queries)
}

func checkSearch(ctx *cli.Context) error {
	typed := ctx.IsSet("query")
	switch {
	case typed == ctx.IsSet("queries"):
		return usagef(ctx, "found %s, expected one of them", map[bool]string{true: "both --query and --queries", false: "neither --query nor --queries"}[typed])
	case typed && ctx.IsSet("output"):
		return usagef(ctx, "found --output with --query, expected it with --queries")
	case !typed:
		return require(ctx, "model", "corpus", "output")
	}
	return require(ctx, "model", "corpus")
}

func readQueries(path string) ([]evaluate.Document, error) {
	var queries []evaluate.Document
	lines := map[string]int{}
	err := evaluate.EachDocument(path, func(line int, q evaluate.Document) error {
		if first, again := lines[q.ID]; again {
			return fmt.Errorf("_id %q is already used on line %d", q.ID, first)
		}
		lines[q.ID] = line
		queries = append(queries, q)
		return nil
	})
	if err == nil && len(queries) == 0 {
		err = fmt.Errorf("%s: no queries", path)
	}
	return queries, err
}

// find searches the corpus.
func find(ctx *cli.Context, e *encode.Encoder, queries []string, k int) ([][]evaluate.Hit, error) {
	cache, err := keptEmbeddings(ctx)
	if err != nil {
		return nil, err
	}
	p := newProgress(ctx.App.ErrWriter, count)
	defer p.finish()
	return encode.Search(ctx.Context, e, cache, queries, ctx.String("corpus"), k, p.count)
}

// searchFile writes the run of a file of queries.
func searchFile(ctx *cli.Context, c *config.Config, e *encode.Encoder, queries []evaluate.Document) error {
	run := &evaluate.Run{Tag: e.Name(), Hits: map[string][]evaluate.Hit{}}
	texts := make([]string, len(queries))
	for i, q := range queries {
		texts[i] = q.FullText()
	}
	hits, err := find(ctx, e, texts, c.Evaluate.TopK)
	if err != nil {
		return err
	}
	for i, q := range queries {
		run.Hits[q.ID] = hits[i]
	}
	output := ctx.String("output")
	if err := evaluate.WriteRun(output, run); err != nil {
		return err
	}
	if ctx.Bool("json") {
		return printJSON(ctx, map[string]any{"output": output, "queries": len(queries), "model": e.Name(), "settings": e.Settings()})
	}
	fmt.Fprintf(ctx.App.Writer, "%s: the best documents of %s queries\n", output, count(int64(len(queries))))
	return nil
}

// found is a document that a typed query found.
type found struct {
	Rank  int     `json:"rank"`
	Score float32 `json:"score"`
	ID    string  `json:"id"`
	Title string  `json:"title,omitempty"`
	Name  string  `json:"name,omitempty"`
	File  string  `json:"file,omitempty"`
	Line  int     `json:"line,omitempty"`
	Text  string  `json:"text,omitempty"`
}

func searchTyped(ctx *cli.Context, c *config.Config, e *encode.Encoder) error {
	k := typedTopK
	if c.At("evaluate.top_k") != "evaluate.top_k" {
		k = c.Evaluate.TopK
	}
	hits, err := find(ctx, e, []string{ctx.String("query")}, k)
	if err != nil {
		return err
	}
	results, err := describe(ctx.Context, ctx.String("corpus"), hits[0])
	if err != nil {
		return err
	}
	if ctx.Bool("json") {
		return printJSON(ctx, results)
	}
	printFound(ctx.App.Writer, results)
	return nil
}

// describe takes what the corpus says of the hits out of it.
func describe(ctx context.Context, corpus string, hits []evaluate.Hit) ([]found, error) {
	results := make([]found, len(hits))
	at := map[string]*found{}
	for i, hit := range hits {
		results[i] = found{Rank: i + 1, Score: hit.Score, ID: hit.Document}
		at[hit.Document] = &results[i]
	}
	if encode.Encoded(corpus) {
		return results, nil
	}
	err := evaluate.EachDocument(corpus, func(_ int, d evaluate.Document) error {
		if f := at[d.ID]; f != nil {
			f.Title, f.Name, f.File, f.Line, f.Text = d.Title, d.Name, d.File, d.Line, d.Text
		}
		return ctx.Err()
	})
	return results, err
}

// Of a document's text so much is shown.
const (
	shownLines = 3
	shownWidth = 100
)

func printFound(w io.Writer, results []found) {
	for _, f := range results {
		parts := []string{fmt.Sprintf("%2d  %.4f", f.Rank, f.Score)}
		for _, part := range []string{cmp.Or(f.Title, f.Name, f.ID), f.place()} {
			if part != "" {
				parts = append(parts, part)
			}
		}
		fmt.Fprintln(w, strings.Join(parts, "  "))
		for _, line := range firstLines(f.Text) {
			fmt.Fprintln(w, "      "+line)
		}
	}
}

// place is file:line, as far as the corpus has them.
func (f found) place() string {
	if f.File == "" || f.Line == 0 {
		return f.File
	}
	return fmt.Sprintf("%s:%d", f.File, f.Line)
}

// firstLines are the first lines of a text that are not blank, cut to a terminal's width.
func firstLines(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\r\n")
		if line == "" {
			continue
		}
		if runes := []rune(line); len(runes) > shownWidth {
			line = string(runes[:shownWidth-1]) + "…"
		}
		if lines = append(lines, line); len(lines) == shownLines {
			break
		}
	}
	return lines
}
