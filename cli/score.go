package cli

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"revela/config"
	"revela/evaluate"
)

func scoreCommand() command {
	return command{
		name:    "score",
		summary: "measure a run against relevance judgements, as trec_eval does",
		details: "Reads judgements (BEIR's TSV or TREC's layout) and a run (TREC's layout) and prints trec_eval's\n" +
			"numbers. A judged query without results is left out of the means with a warning that counts\n" +
			"them; --complete counts it as 0. --intervals gives the 95 % interval of every mean (bootstrap over queries). --compare\n" +
			"gives, for every measure, the difference of a second run with its 95 % interval (paired bootstrap), its p-value\n" +
			"(paired randomisation test) and how many queries win, lose and are equal; set seed for other draws. --worst lists the\n" +
			"queries with the least values of the first measure or, with --compare, those that lose most; --queries gives their texts.",
		examples: []string{
			"revela score --qrels data/scifact/qrels/test.tsv --run runs/example/runs/scifact.trec",
			"revela score --qrels qrels.txt --run run.trec --metrics ndcg@10,map,recall@100 --per-query",
			"revela score --qrels qrels.txt --run run.trec --metrics official",
			"revela score --qrels qrels.txt --run before.trec --compare after.trec --metrics ndcg@10",
			"revela score --qrels data/scifact/qrels/test.tsv --run before.trec --compare after.trec --queries data/scifact/queries.jsonl --worst 10",
		},
		flags: []cli.Flag{
			&cli.StringFlag{Name: "qrels", Usage: "`FILE` of judgements"},
			&cli.StringFlag{Name: "run", Usage: "`FILE` of the run"},
			&cli.StringFlag{Name: "metrics", Usage: "`LIST` of measures in mteb's names (ndcg@10) or trec_eval's " +
				"(ndcg_cut.10; official: its default set); default: evaluate.metrics"},
			&cli.StringFlag{Name: "compare", Usage: "second run `FILE`: test whether it differs, paired by query"},
			switchFlag("intervals", "print the 95 % interval of every mean"),
			&cli.IntFlag{Name: "worst", Usage: "list `N` queries: the worst, with --compare those that lose most"},
			&cli.StringFlag{Name: "queries", Usage: "`FILE` of the queries' texts, JSON Lines, for --worst"},
			switchFlag("per-query", "print every query's values before the means"),
			switchFlag("complete", "count judged queries without results as 0 (trec_eval -c)"),
			&cli.IntFlag{Name: "relevance-level", Value: 1, Usage: "least `LEVEL` that counts as relevant (trec_eval -l)"},
			&cli.IntFlag{Name: "depth", Usage: "first `N` results of a query that count; 0: all (trec_eval -M)"},
			jsonFlag(),
		},
		run: runScore,
	}
}

func runScore(ctx *cli.Context) error {
	if err := require(ctx, "qrels", "run"); err != nil {
		return err
	}
	c, err := configuration(ctx, nil)
	if err != nil {
		return err
	}
	measures, err := scoreMeasures(ctx, c)
	if err != nil {
		return err
	}
	list, err := newQueryList(ctx, measures)
	if err != nil {
		return err
	}
	scores, err := scoreFiles(ctx, ctx.String("qrels"), ctx.String("run"), measures)
	if err != nil {
		return err
	}
	if ctx.IsSet("compare") {
		return compareRuns(ctx, scores, list, c.Seed)
	}
	worst, err := list.worst(scores)
	if err != nil {
		return err
	}
	var intervals map[string]evaluate.Interval
	if ctx.Bool("intervals") {
		intervals = scores.Intervals(uint64(c.Seed))
	}
	if ctx.Bool("json") {
		return printJSON(ctx, scoreResult(scores, intervals, worst, ctx.Bool("per-query")))
	}
	if err := scores.Print(ctx.App.Writer, ctx.Bool("per-query")); err != nil {
		return err
	}
	if err := printIntervals(ctx.App.Writer, scores, intervals); err != nil {
		return err
	}
	return list.print(ctx.App.Writer, worst)
}

// printIntervals prints a table of means with their intervals, nothing where there are none.
func printIntervals(w io.Writer, scores *evaluate.Scores, intervals map[string]evaluate.Interval) error {
	if len(intervals) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\nmetric\tmean\t95 % interval\t")
	for i, m := range scores.Measures {
		if interval, ok := intervals[m.Name]; ok {
			fmt.Fprintf(table, "%s\t%.4f\t%.4f … %.4f\t\n", m.Name, scores.Overall[i], interval[0], interval[1])
		}
	}
	return table.Flush()
}

// scoreMeasures are those of --metrics, else the configuration's.
func scoreMeasures(ctx *cli.Context, c *config.Config) ([]evaluate.Measure, error) {
	if ctx.IsSet("metrics") {
		measures, err := evaluate.ParseMeasures(words(ctx.String("metrics")))
		if err != nil {
			return nil, fmt.Errorf("--metrics %s: %w", ctx.String("metrics"), err)
		}
		return measures, nil
	}
	return configuredMeasures(c)
}

func scoreFiles(ctx *cli.Context, qrelsFile, runFile string, measures []evaluate.Measure) (*evaluate.Scores, error) {
	qrels, err := evaluate.ReadQrels(qrelsFile)
	if err != nil {
		return nil, err
	}
	run, err := evaluate.ReadRun(runFile)
	if err != nil {
		return nil, err
	}
	options := evaluate.ScoreOptions{
		RelevanceLevel: ctx.Int("relevance-level"), Depth: ctx.Int("depth"), Complete: ctx.Bool("complete"),
	}
	scores, err := evaluate.Score(qrels, run, measures, options)
	if err != nil {
		return nil, err
	}
	for _, warning := range scores.Warnings(options.Complete) {
		fmt.Fprintf(ctx.App.ErrWriter, "%s: %s\n", runFile, warning)
	}
	return scores, nil
}

// comparedRuns is the JSON of a comparison.
type comparedRuns struct {
	Comparisons []evaluate.Comparison `json:"comparisons"`
	Worst       []evaluate.Difference `json:"worst,omitempty"` // queries that lose most
}

// compareRuns tests the run of --compare against the first.
func compareRuns(ctx *cli.Context, first *evaluate.Scores, list *queryList, seed int64) error {
	second, err := scoreFiles(ctx, ctx.String("qrels"), ctx.String("compare"), first.Measures)
	if err != nil {
		return err
	}
	comparisons, err := evaluate.Compare(first, second, uint64(seed))
	if err != nil {
		return err
	}
	worst, err := list.losses(first, second)
	if err != nil {
		return err
	}
	if ctx.Bool("json") {
		return printJSON(ctx, comparedRuns{comparisons, worst})
	}
	w := tabwriter.NewWriter(ctx.App.Writer, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "metric\tqueries\tfirst\tsecond\tdifference\t95 % interval\tp\twin\tequal\tlose\t")
	for _, c := range comparisons {
		fmt.Fprintf(w, "%s\t%d\t%.4f\t%.4f\t%+.4f\t%+.4f … %+.4f\t%s\t%d\t%d\t%d\t\n",
			c.Measure, c.Queries, c.First, c.Second, c.Difference, c.Low, c.High, evaluate.FormatP(c.P), c.Better, c.Equal, c.Worse)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return list.print(ctx.App.Writer, worst)
}

// scoredRun is the JSON of a scored run.
type scoredRun struct {
	Tag       string                        `json:"tag"`
	Metrics   map[string]float64            `json:"metrics"`
	Intervals map[string]evaluate.Interval  `json:"intervals,omitempty"`
	Queries   int                           `json:"queries"`            // that the metrics are means over
	Missing   []string                      `json:"missing,omitempty"`  // judged queries without results
	Unjudged  int                           `json:"unjudged,omitempty"` // queries of the run without judgements
	Worst     []queryValue                  `json:"worst,omitempty"`
	PerQuery  map[string]map[string]float64 `json:"per_query,omitempty"`
}

func scoreResult(s *evaluate.Scores, intervals map[string]evaluate.Interval, worst []evaluate.Difference, perQuery bool) scoredRun {
	result := scoredRun{Tag: s.Tag, Metrics: s.Metrics(), Intervals: intervals, Queries: len(s.Queries), Missing: s.Missing, Unjudged: s.Unjudged}
	for _, d := range worst {
		result.Worst = append(result.Worst, queryValue{d.Query, d.Text, d.Second})
	}
	if perQuery {
		result.PerQuery = s.QueryMetrics()
	}
	return result
}
