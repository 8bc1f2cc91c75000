package cli

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"revela/config"
	"revela/data/prepare"
)

func prepareCommand() command {
	return command{
		name:    "prepare",
		summary: "turn documents into training groups and a held-out collection",
		details: "Reads files, folders and globs (an entry !PATH leaves one out), cuts documents into chunks and writes\n" +
			"groups of neighbours, one a line; with a hold-out also a collection in BEIR layout, in the folder holdout\n" +
			"beside the groups. The flags stand for the keys of the configuration's prepare section.",
		examples: []string{
			"revela prepare --config configs/quickstart.yaml",
			"revela prepare --input docs --output runs/docs/groups.jsonl.zst",
			"revela prepare --input src --output groups.jsonl --unit functions --queries comments --group-by package" +
				" --holdout 0.1 --holdout-by package",
		},
		flags: []cli.Flag{
			configFlag(),
			&cli.StringSliceFlag{Name: "input", Usage: "file, folder or glob, a `PATH`; may be repeated"},
			&cli.StringFlag{Name: "output", Usage: "groups `FILE` to write: .jsonl, .jsonl.gz or .jsonl.zst"},
			&cli.StringFlag{Name: "unit", Usage: "what a chunk is, `U`: sentences or functions"},
			&cli.StringFlag{Name: "group-by", Usage: "which chunks come together, `G`: document, bm25, folder, package or random"},
			&cli.StringFlag{Name: "queries", Usage: "where queries come from, `Q`: none, comments, headings, titles or chunks"},
			&cli.Float64Flag{Name: "holdout", Usage: "`SHARE` kept out as a collection"},
			&cli.StringFlag{Name: "holdout-by", Usage: "what is kept out whole, `H`: document, folder or package"},
			jsonFlag(),
		},
		run: runPrepare,
	}
}

var prepareKeys = keys{
	"input": "prepare.input", "output": "prepare.output", "unit": "prepare.unit", "group-by": "prepare.group_by",
	"queries": "prepare.queries", "holdout": "prepare.holdout", "holdout-by": "prepare.holdout_by",
}

func runPrepare(ctx *cli.Context) error {
	if !ctx.IsSet("config") && !ctx.IsSet("input") {
		return usagef(ctx, "found neither --config nor --input, expected one of them")
	}
	c, err := configuration(ctx, prepareKeys)
	if err != nil {
		return err
	}
	p := newProgress(ctx.App.ErrWriter, count)
	summary, err := prepare.Run(ctx.Context, prepareOptions(c), func(e prepare.Event) {
		switch {
		case e.Broken != nil:
			p.note("skipped: " + e.Broken.Error())
		case e.Stage == "read":
			p.count("files", e.Files, e.Of)
		}
	})
	p.finish()
	if err != nil {
		return located(c, err)
	}
	if ctx.Bool("json") {
		return printJSON(ctx, summary)
	}
	printPrepared(ctx.App.Writer, summary)
	return nil
}

func prepareOptions(c *config.Config) prepare.Options {
	return prepare.Options{
		Input: c.Prepare.Input, Output: c.Prepare.Output, Unit: c.Prepare.Unit, Queries: c.Prepare.Queries,
		GroupBy: c.Prepare.GroupBy, GroupSize: c.Prepare.GroupSize, Holdout: c.Prepare.Holdout,
		HoldoutBy: c.Prepare.HoldoutBy, Strict: c.Prepare.Strict, Seed: c.Seed,
	}
}

// printPrepared says what came out and what was left out on the way.
func printPrepared(w io.Writer, s prepare.Summary) {
	fmt.Fprintf(w, "%s: %s groups of %s chunks, from %s files\n", s.Output,
		count(int64(s.Groups)), count(int64(s.Trained)), count(int64(s.Files)))
	for _, left := range []struct {
		n   int
		why string
	}{
		{s.Broken, "broken records"},
		{s.NotMarkdown, "documents that are not Markdown"},
		{s.Short, "functions too short"},
		{s.Duplicates, "duplicates"},
		{s.Unpaired, "chunks without a query"},
		{s.Copies, "near-copies of held-out chunks"},
		{s.Asked, "chunks whose query is held out"},
		{s.LeftOver, "chunks that fill no group"},
	} {
		if left.n > 0 {
			fmt.Fprintf(w, "  left out: %s %s\n", count(int64(left.n)), left.why)
		}
	}
	if h := s.Holdout; h != nil {
		fmt.Fprintf(w, "%s: %s queries, %s documents\n", h.Dir, count(int64(h.Queries)), count(int64(h.Documents)))
	}
}
