package cli

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"revela/data/hub"
	"revela/evaluate/tasks"
	"revela/model/checkpoint"
	"revela/reproduce"
)

func reproduceCommand() command {
	return command{
		name:      "reproduce",
		summary:   "repeat an experiment of the paper, from its data to the comparison with the published score",
		arguments: "[NAME]",
		details: "Without a NAME lists the experiments with table, benchmark and published mean. With one runs its commands in turn:\n" +
			"fetches groups, models and benchmarks, trains, exports the adapter, evaluates as the authors did and compares;\n" +
			"--dry-run prints them with time, memory and download instead. Every step that is done is noted in the experiment's\n" +
			"folder: after an interruption the same command goes on where it was. Writes comparison.md and comparison.json; where the\n" +
			"mean (without one: a task) lies outside the tolerance of the experiment's file, the exit status is 1. Every experiment\n" +
			"has a twin NAME-fp32 whose similarities are not rounded to bf16. --set changes keys of the training; those of evaluate,\n" +
			"device and threads count for the evaluation too. docs/reproducing.md says more.",
		examples: []string{
			"revela reproduce",
			"revela reproduce --dry-run coir-0.5b",
			"revela reproduce coir-0.5b",
			"revela reproduce --published bright-3b",
			"revela reproduce --tasks beir/scifact,beir/nfcorpus --set device=cuda beir-135m-lm135m",
			"revela reproduce --scale tiny coir-0.5b",
		},
		flags: []cli.Flag{
			switchFlag("dry-run", "print the commands, and what they cost"),
			&cli.StringFlag{Name: "scale", Value: "full", Usage: "`S`: full, or tiny (seconds, on models and data made here)"},
			switchFlag("published", "score the authors' adapter, train nothing"),
			&cli.StringFlag{Name: "tasks", Usage: "measure these `NAMES` of the benchmark alone, with commas between"},
			&cli.StringFlag{Name: "only", Usage: "do one `STEP`, whether it is done or not"},
			&cli.StringFlag{Name: "output", Usage: "`FOLDER` of the run folders", DefaultText: reproduce.DefaultOutput},
			&cli.StringFlag{Name: "experiments", Value: reproduce.DefaultDir, Usage: "`FOLDER` of the experiments' files"},
			&cli.Float64Flag{Name: "tflops", Usage: "with --dry-run: rate of large products, `N` · 10¹² a second, of the machine that will run it", DefaultText: "measured here"},
			jsonFlag(),
		},
		run: runReproduce,
	}
}

func runReproduce(ctx *cli.Context) error {
	scale := ctx.String("scale")
	switch {
	case ctx.Args().Len() > 1:
		return usagef(ctx, "found %d names, expected one", ctx.Args().Len())
	case scale != "full" && scale != "tiny":
		return usagef(ctx, "found --scale %s, expected full or tiny", scale)
	}
	all, err := reproduce.Load(ctx.String("experiments"))
	if err != nil {
		return err
	}
	if !ctx.Args().Present() {
		return listExperiments(ctx, all)
	}
	experiment, err := reproduce.Find(all, ctx.Args().First())
	if err != nil {
		return err
	}
	plan, err := reproduce.NewPlan(experiment, reproduce.Options{
		Dir: ctx.String("experiments"), Output: ctx.String("output"), Tiny: scale == "tiny", Published: ctx.Bool("published"),
		Tasks: words(ctx.String("tasks")), Set: ctx.StringSlice("set"),
	})
	switch {
	case err != nil:
		return err
	case ctx.Bool("dry-run"):
		return printDryRun(ctx, plan)
	case ctx.IsSet("only"):
		return runOnly(ctx, plan)
	}
	return runPlan(ctx, plan)
}

// listedExperiment is the JSON of an experiment.
type listedExperiment struct {
	Name     string   `json:"name"`
	Table    int      `json:"table"`
	Suite    string   `json:"suite"`
	Mean     *float64 `json:"ndcg@10"` // published; null where single tasks alone were
	Adapter  string   `json:"adapter,omitempty"`
	Training string   `json:"training"`
	Title    string   `json:"title"`
	Variant  string   `json:"variant,omitempty"`
}

func listExperiments(ctx *cli.Context, all []reproduce.Experiment) error {
	registry, err := tasks.Load()
	if err != nil {
		return err
	}
	var listed []listedExperiment
	for _, e := range all {
		l := listedExperiment{Name: e.Name, Table: e.Table, Suite: e.Suite, Adapter: e.Adapter, Training: e.Run, Title: e.Corpus.Title, Variant: e.Variant}
		if mean, ok := e.PublishedMean(registry); ok {
			l.Mean = &mean
		}
		listed = append(listed, l)
	}
	if ctx.Bool("json") {
		return printJSON(ctx, listed)
	}
	return printExperiments(ctx.App.Writer, listed)
}

// printExperiments lists what is no twin.
func printExperiments(w io.Writer, listed []listedExperiment) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tTABLE\tBENCHMARK\tPUBLISHED\tADAPTER\tMODEL")
	for _, l := range listed {
		if l.Variant != "" {
			continue
		}
		mean, adapter := "", "no"
		if l.Mean != nil {
			mean = fmt.Sprintf("%.3f", *l.Mean)
		}
		if l.Adapter != "" {
			adapter = "published"
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\t%s\n", l.Name, l.Table, l.Suite, mean, adapter, l.Title)
	}
	return table.Flush()
}

// runPlan does what is not yet done of a plan, and prints the comparison.
func runPlan(ctx *cli.Context, plan *reproduce.Plan) error {
	record, err := plan.OpenRecord()
	if err != nil {
		return err
	}
	var compared *reproduce.Comparison
	fresh := false // a step was done now, so what follows rests on it
	for i, step := range plan.Steps {
		place := fmt.Sprintf("[%d/%d] %s", i+1, len(plan.Steps), step.Name)
		if !fresh && record.Has(step) {
			fmt.Fprintf(ctx.App.ErrWriter, "%s: done before\n", place)
			continue
		}
		fresh = true
		record.Keep(plan.Steps[:i])
		fmt.Fprintf(ctx.App.ErrWriter, "%s: revela %s\n", place, reproduce.Shell(step.Args))
		if compared, err = doStep(ctx, plan, step, record, ctx.App.ErrWriter); err != nil {
			return err
		}
	}
	return printCompared(ctx, plan, compared)
}

// doStep does a step and notes it; the comparison is that of the last one.
func doStep(ctx *cli.Context, plan *reproduce.Plan, step reproduce.Step, record *reproduce.Record, stdout io.Writer) (*reproduce.Comparison, error) {
	if step.Name == reproduce.StepCompare {
		return plan.Compare(record)
	}
	start := time.Now()
	if err := perform(ctx, plan, step, stdout); err != nil {
		return nil, fmt.Errorf("%s: %s: %w", plan.Name, step.Name, err)
	}
	if _, err := os.Stat(step.Output); err != nil && step.Output != plan.Folder {
		return nil, fmt.Errorf("%s: %s: the command ended without an error, but left no %s", plan.Name, step.Name, step.Output)
	}
	return nil, record.Add(step, time.Since(start).Seconds(), Version())
}

// perform runs a step's command.
func perform(ctx *cli.Context, plan *reproduce.Plan, step reproduce.Step, stdout io.Writer) error {
	switch step.Name {
	case reproduce.StepMake:
		return reproduce.MakeTiny(step.Output)
	case reproduce.StepPairs:
		return makePairs(ctx, plan, step.Output, stdout)
	}
	return newApp(stdout, ctx.App.ErrWriter).RunContext(ctx.Context, append([]string{"revela"}, step.Args...))
}

// makePairs writes the pairs of the published groups, which are fetched.
func makePairs(ctx *cli.Context, plan *reproduce.Plan, output string, stdout io.Writer) error {
	p := newProgress(ctx.App.ErrWriter, size)
	inputs, err := hub.Groups(ctx.Context, &checkpoint.Resolver{Progress: p.report}, plan.Sources())
	p.finish()
	if err != nil {
		return err
	}
	n, err := reproduce.WritePairs(ctx.Context, output, inputs, plan.Config.Seed)
	if err == nil {
		fmt.Fprintf(stdout, "%s: %s groups of pairs\n", output, count(int64(n)))
	}
	return err
}

// runOnly does the steps of one name.
func runOnly(ctx *cli.Context, plan *reproduce.Plan) error {
	record, err := plan.OpenRecord()
	if err != nil {
		return err
	}
	var names []string
	found := false
	for i, step := range plan.Steps {
		names = append(names, step.Name)
		if step.Name != ctx.String("only") {
			continue
		}
		found = true
		if step.Output != "" {
			record.Keep(plan.Steps[:i])
		}
		compared, err := doStep(ctx, plan, step, record, ctx.App.Writer)
		if err != nil {
			return err
		}
		if compared != nil {
			return printCompared(ctx, plan, compared)
		}
	}
	if !found {
		return usagef(ctx, "found --only %s, expected one of %s", ctx.String("only"), strings.Join(slices.Compact(names), ", "))
	}
	return nil
}

// printCompared prints the comparison; its verdict is the command's.
func printCompared(ctx *cli.Context, plan *reproduce.Plan, c *reproduce.Comparison) error {
	if ctx.Bool("json") {
		if err := printJSON(ctx, c); err != nil {
			return err
		}
		return c.Verdict()
	}
	fmt.Fprint(ctx.App.Writer, c.Markdown())
	fmt.Fprintf(ctx.App.ErrWriter, "the comparison is in %s/comparison.md and comparison.json\n", plan.Folder)
	return c.Verdict()
}
