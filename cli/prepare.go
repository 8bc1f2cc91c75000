package cli

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"revela/config"
	"revela/data/prepare"
	"revela/model"
	"revela/model/checkpoint"
)

func prepareCommand() command {
	return command{
		name:    "prepare",
		summary: "turn documents into training groups and a held-out collection",
		details: "Reads files, folders and globs (an entry !PATH leaves one out): text, Markdown, HTML, PDF, source code, JSON\n" +
			"Lines, CSV, TSV, Parquet, Wikipedia dumps and Stack Overflow's Posts.xml, plain, .gz, .zst or .bz2. Cuts documents\n" +
			"into chunks and writes groups of neighbours, one a line; with a hold-out also a collection in BEIR layout, in the\n" +
			"folder holdout beside the groups. Interrupted, it goes on where it was when the same command is run again.\n" +
			"Started as several processes by RANK and WORLD_SIZE over one folder, it shares the searches of bm25 among them.\n" +
			"The flags stand for the keys of the configuration's prepare section.",
		examples: []string{
			"revela prepare --config configs/quickstart.yaml",
			"revela prepare --input docs --output runs/docs/groups.jsonl.zst",
			"revela prepare --input src --output groups.jsonl --unit functions --queries comments --group-by package" +
				" --holdout 0.1 --holdout-by package",
		},
		flags: []cli.Flag{
			configFlag(),
			&cli.StringSliceFlag{Name: "input", Usage: "file, folder or glob, a `PATH`; may be repeated"},
			&cli.StringFlag{Name: "output", Usage: "groups `FILE` to write: .jsonl, .jsonl.gz, .jsonl.zst or .parquet"},
			&cli.StringFlag{Name: "unit", Usage: "what a chunk is, `U`: sentences, tokens, sections or functions"},
			&cli.StringFlag{Name: "group-by", Usage: "which chunks come together, `G`: document, bm25, folder, package or random"},
			&cli.Float64Flag{Name: "seeds", Usage: "with bm25: `SHARE` of the chunks that begin a group"},
			&cli.IntFlag{Name: "max-uses", Usage: "with bm25: groups that a chunk may be in, `N`"},
			&cli.StringFlag{Name: "engine", Usage: "with bm25: `URL` of an index of OpenSearch or Elasticsearch that holds the corpus"},
			&cli.StringFlag{Name: "queries", Usage: "where queries come from, `Q`: none, comments, headings, titles or chunks"},
			&cli.Float64Flag{Name: "holdout", Usage: "`SHARE` kept out as a collection"},
			&cli.StringFlag{Name: "holdout-by", Usage: "what is kept out whole, `H`: document, folder or package"},
			&cli.StringFlag{Name: "dedup", Usage: "which chunks are duplicates, `D`: exact or near"},
			&cli.StringSliceFlag{Name: "decontaminate", Usage: "leave out what repeats the collection in `DIR`; may be repeated"},
			&cli.BoolFlag{Name: "strict", Usage: "a broken record is an error"},
			jsonFlag(),
		},
		run: runPrepare,
	}
}

var prepareKeys = keys{
	"input": "prepare.input", "output": "prepare.output", "unit": "prepare.unit", "group-by": "prepare.group_by",
	"queries": "prepare.queries", "holdout": "prepare.holdout", "holdout-by": "prepare.holdout_by",
	"dedup": "prepare.dedup", "decontaminate": "prepare.decontaminate", "strict": "prepare.strict",
	"seeds": "prepare.seeds", "max-uses": "prepare.max_uses", "engine": "prepare.engine",
}

func runPrepare(ctx *cli.Context) error {
	if !ctx.IsSet("config") && !ctx.IsSet("input") {
		return usagef(ctx, "found neither --config nor --input, expected one of them")
	}
	c, err := configuration(ctx, prepareKeys)
	if err != nil {
		return err
	}
	options := prepareOptions(c)
	if options.Rank, options.Ranks, err = ranks(); err != nil {
		return err
	}
	if options.Unit == prepare.Tokens {
		if err := addTokenizer(ctx, c, &options); err != nil {
			return err
		}
	}
	p := newProgress(ctx.App.ErrWriter, size)
	summary, err := prepare.Run(ctx.Context, options, func(e prepare.Event) {
		switch {
		case e.Broken != nil:
			p.note("skipped: " + e.Broken.Error())
		case e.Stage == "read":
			p.report("read", e.Bytes, e.OfBytes)
		}
	})
	p.finish()
	if err != nil {
		return located(c, err)
	}
	if options.Rank > 0 {
		return nil // the first one has all to say
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
		Dedup: c.Prepare.Dedup, Decontaminate: c.Prepare.Decontaminate, Threads: c.Threads,
		Seeds: c.Prepare.Seeds, MaxUses: c.Prepare.MaxUses, Engine: c.Prepare.Engine,
	}
}

// addTokenizer reads the language model's tokenizer, by whose tokens chunks are cut: as many as data.max_length leaves
// beside the special ones.
func addTokenizer(ctx *cli.Context, c *config.Config, o *prepare.Options) error {
	p := newProgress(ctx.App.ErrWriter, size)
	defer p.finish()
	folder, err := (&checkpoint.Resolver{Progress: p.report}).Resolve(ctx.Context, c.LM.Checkpoint, c.LM.Revision)
	if err != nil {
		return fmt.Errorf("%s: lm.checkpoint: %w", c.At("lm.checkpoint"), err)
	}
	tokens, err := model.LoadTokenizer(folder)
	if err != nil {
		return fmt.Errorf("%s: lm.checkpoint: %w", c.At("lm.checkpoint"), err)
	}
	o.Tokenizer = folder
	o.CountTokens = func(text string) int { return len(tokens.EncodeBare(text)) }
	o.MaxTokens = c.Data.MaxLength.Text - len(tokens.Encode(""))
	return nil
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
		{s.NoHeadings, "documents without headings"},
		{s.Short, "functions too short"},
		{s.Duplicates, "duplicates"},
		{s.Near, "near-duplicates"},
		{s.Contaminated, "chunks that repeat an evaluation, listed in " + s.Removed},
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
