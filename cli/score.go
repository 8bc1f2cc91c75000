package cli

import (
	"fmt"
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
			"them; --complete counts it as 0. --compare gives, for every measure, the difference of a second run with its\n" +
			"95 % interval (bootstrap) and p-value (randomisation test); set seed for other draws.",
		examples: []string{
			"revela score --qrels data/scifact/qrels/test.tsv --run runs/example/runs/scifact.trec",
			"revela score --qrels qrels.txt --run run.trec --metrics ndcg@10,map,recall@100 --per-query",
			"revela score --qrels qrels.txt --run run.trec --metrics official",
			"revela score --qrels qrels.txt --run before.trec --compare after.trec --metrics ndcg@10",
		},
		flags: []cli.Flag{
			&cli.StringFlag{Name: "qrels", Usage: "`FILE` of judgements"},
			&cli.StringFlag{Name: "run", Usage: "`FILE` of the run"},
			&cli.StringFlag{Name: "metrics", Usage: "`LIST` of measures in mteb's names (ndcg@10) or trec_eval's " +
				"(ndcg_cut.10; official: its default set); default: evaluate.metrics"},
			&cli.StringFlag{Name: "compare", Usage: "second run `FILE`: test whether it differs, paired by query"},
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
	scores, err := scoreFiles(ctx, ctx.String("qrels"), ctx.String("run"), measures)
	if err != nil {
		return err
	}
	if ctx.IsSet("compare") {
		return compareRuns(ctx, scores, c.Seed)
	}
	if ctx.Bool("json") {
		return printJSON(ctx, scoreResult(scores, ctx.Bool("per-query")))
	}
	return scores.Print(ctx.App.Writer, ctx.Bool("per-query"))
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

// compareRuns tests the run of --compare against the first.
func compareRuns(ctx *cli.Context, first *evaluate.Scores, seed int64) error {
	second, err := scoreFiles(ctx, ctx.String("qrels"), ctx.String("compare"), first.Measures)
	if err != nil {
		return err
	}
	comparisons, err := evaluate.Compare(first, second, uint64(seed))
	if err != nil {
		return err
	}
	if ctx.Bool("json") {
		return printJSON(ctx, comparisons)
	}
	w := tabwriter.NewWriter(ctx.App.Writer, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "metric\tqueries\tfirst\tsecond\tdifference\t95 % interval\tp\tbetter\tworse\t")
	for _, c := range comparisons {
		fmt.Fprintf(w, "%s\t%d\t%.4f\t%.4f\t%+.4f\t%+.4f … %+.4f\t%.4f\t%d\t%d\t\n",
			c.Measure, c.Queries, c.First, c.Second, c.Difference, c.Low, c.High, c.P, c.Better, c.Worse)
	}
	return w.Flush()
}

// scoredRun is the JSON of a scored run.
type scoredRun struct {
	Tag      string                        `json:"tag"`
	Metrics  map[string]float64            `json:"metrics"`
	Queries  int                           `json:"queries"`            // that the metrics are means over
	Missing  []string                      `json:"missing,omitempty"`  // judged queries without results
	Unjudged int                           `json:"unjudged,omitempty"` // queries of the run without judgements
	PerQuery map[string]map[string]float64 `json:"per_query,omitempty"`
}

func scoreResult(s *evaluate.Scores, perQuery bool) scoredRun {
	result := scoredRun{Tag: s.Tag, Metrics: s.Metrics(), Queries: len(s.Queries), Missing: s.Missing, Unjudged: s.Unjudged}
	if !perQuery {
		return result
	}
	result.PerQuery = map[string]map[string]float64{}
	for i, query := range s.Queries {
		values := map[string]float64{}
		for j, measure := range s.Measures {
			if _, isNumber := result.Metrics[measure.Name]; isNumber {
				values[measure.Name] = s.PerQuery[i][j]
			}
		}
		result.PerQuery[query] = values
	}
	return result
}
