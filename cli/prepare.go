package cli

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"revela/config"
	"revela/data/hub"
	"revela/data/prepare"
	"revela/model"
	"revela/model/checkpoint"
)

func prepareCommand() command {
	return command{
		name:    "prepare",
		summary: "turn documents into training groups and a held-out collection",
		details: "Reads files, folders and globs (an entry !PATH leaves one out): text, Markdown, HTML, PDF, source code, JSON\n" +
			"Lines, CSV, TSV, Parquet, Wikipedia dumps and Stack Overflow's Posts.xml, plain, .gz, .zst or .bz2; data sets of the\n" +
			"HuggingFace hub (ORG/NAME or hf://datasets/ORG/NAME, either with @REVISION, the latter with /PATTERN). Cuts documents\n" +
			"into chunks and writes groups of neighbours, one a line; with a hold-out also a collection in BEIR layout, in the\n" +
			"folder holdout beside the groups. Interrupted, it goes on where it was when the same command is run again.\n" +
			"Started as several processes by RANK and WORLD_SIZE over one folder, it shares the searches of bm25 among them.\n" +
			"The flags stand for the keys of the configuration's prepare section.",
		examples: []string{
			"revela prepare --config configs/quickstart.yaml",
			"revela prepare --input docs --output runs/docs/groups.jsonl.zst",
			"revela prepare --input hf://datasets/Tevatron/wikipedia-nq-corpus --output groups.jsonl.zst --group-by bm25",
			"revela prepare --input src --output groups.jsonl --unit functions --queries comments --group-by package" +
				" --holdout 0.1 --holdout-by package",
		},
		flags: []cli.Flag{
			configFlag(),
			&cli.StringSliceFlag{Name: "input", Usage: "file, folder, glob or data set of the hub, a `PATH`; may be repeated"},
			&cli.StringFlag{Name: "output", Usage: "groups `FILE` to write: .jsonl, .jsonl.gz, .jsonl.zst or .parquet"},
			&cli.StringFlag{Name: "unit", Usage: "what a chunk is, `U`: sentences, tokens, sections or functions"},
			&cli.StringFlag{Name: "group-by", Usage: "which chunks come together, `G`: document, bm25, folder, package or random"},
			&cli.IntFlag{Name: "group-size", Usage: "chunks (with queries: pairs) in a group, `N`"},
			&cli.Float64Flag{Name: "seeds", Usage: "with bm25: `SHARE` of the chunks that begin a group"},
			&cli.IntFlag{Name: "max-uses", Usage: "with bm25: groups that a chunk may be in, `N`"},
			&cli.StringFlag{Name: "engine", Usage: "with bm25: `URL` of an index of OpenSearch or Elasticsearch that holds the corpus"},
			&cli.StringFlag{Name: "queries", Usage: "where queries come from, `Q`: none, comments, headings, titles or chunks"},
			&cli.Float64Flag{Name: "holdout", Usage: "`SHARE` kept out as a collection"},
			&cli.Float64Flag{Name: "tuning", Usage: "further `SHARE` kept out as a collection to choose settings on"},
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
	"group-size": "prepare.group_size", "tuning": "prepare.tuning", "queries": "prepare.queries", "holdout": "prepare.holdout", "holdout-by": "prepare.holdout_by",
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
	if options.Input, err = hubDocuments(ctx, c); err != nil {
		return err
	}
	if options.Rank, options.Ranks, err = ranks(); err != nil {
		return err
	}
	if options.Unit == prepare.Tokens {
		if err := addTokenizer(ctx, c, &options); err != nil {
			return err
		}
	}
	read, made := newProgress(ctx.App.ErrWriter, size), newProgress(ctx.App.ErrWriter, count)
	summary, err := prepare.Run(ctx.Context, options, func(e prepare.Event) { showPrepared(read, made, e) })
	read.finish()
	made.finish()
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

// showPrepared shows progress: bytes while inputs are read, then chunks.
func showPrepared(read, made *progress, e prepare.Event) {
	switch {
	case e.Broken != nil:
		read.note("skipped: " + e.Broken.Error())
	case e.Stage == "read":
		read.report("read", e.Bytes, e.OfBytes)
	case e.Total > 0:
		read.finish()
		made.count(e.Stage, e.Done, e.Total)
	}
}

// hubDocuments are the inputs, data sets of the hub replaced by their files.
func hubDocuments(ctx *cli.Context, c *config.Config) ([]string, error) {
	p := newProgress(ctx.App.ErrWriter, size)
	defer p.finish()
	files, err := hub.Documents(ctx.Context, &checkpoint.Resolver{Progress: p.report}, c.Prepare.Input)
	if err != nil {
		return nil, fmt.Errorf("%s: prepare.input: %w", c.At("prepare.input"), err)
	}
	return files, nil
}

func prepareOptions(c *config.Config) prepare.Options {
	return prepare.Options{
		Input: c.Prepare.Input, Output: c.Prepare.Output, Unit: c.Prepare.Unit, Queries: c.Prepare.Queries,
		GroupBy: c.Prepare.GroupBy, GroupSize: c.Prepare.GroupSize, Holdout: c.Prepare.Holdout,
		HoldoutBy: c.Prepare.HoldoutBy, Strict: c.Prepare.Strict, Seed: c.Seed, Tuning: c.Prepare.Tuning,
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
	for _, h := range []*prepare.Collection{s.Holdout, s.Tuning} {
		if h == nil {
			continue
		}
		fmt.Fprintf(w, "%s: %s queries, %s documents\n", h.Dir, count(int64(h.Queries)), count(int64(h.Documents)))
	}
}
