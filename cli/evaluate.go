package cli

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"revela/config"
	"revela/evaluate"
)

func evaluateCommand() command {
	return command{
		name:    "evaluate",
		summary: "search collections with a model and score what is found",
		details: "Writes runs/<collection>.trec, results/<collection>.json, summary.json and summary.md below the output\n" +
			"folder, and prints the table. Collections are folders in BEIR layout. Documents are never removed for having\n" +
			"the query's id unless --remove-identical says so.",
		examples: []string{
			"revela evaluate --model bm25 --collection data/scifact --output runs/bm25",
			"revela evaluate --model bm25:code --collection data/mbpp --collection data/humaneval --output runs/bm25-code --json",
		},
		flags: []cli.Flag{
			configFlag(),
			&cli.StringFlag{Name: "model", Usage: "`MODEL` to score: bm25, or bm25:code, which splits camelCase and snake_case"},
			&cli.StringSliceFlag{Name: "collection", Usage: "collection, a `FOLDER` in BEIR layout; may be repeated"},
			&cli.StringFlag{Name: "output", Usage: "`FOLDER` for runs, results and the summary"},
			switchFlag("remove-identical", "never return a document that has the query's id"),
			switchFlag("complete", "count judged queries without results as 0"),
			jsonFlag(),
		},
		run: runEvaluate,
	}
}

var evaluateKeys = keys{"collection": "evaluate.collections", "output": "output"}

func runEvaluate(ctx *cli.Context) error {
	if err := require(ctx, "model"); err != nil {
		return err
	}
	if !ctx.IsSet("config") {
		if err := require(ctx, "collection", "output"); err != nil {
			return err
		}
	}
	c, err := configuration(ctx, evaluateKeys)
	if err != nil {
		return err
	}
	measures, err := configuredMeasures(c)
	if err != nil {
		return err
	}
	retriever, err := openRetriever(ctx.String("model"))
	if err != nil {
		return err
	}
	collections, err := openCollections(c)
	if err != nil {
		return err
	}
	return evaluateModel(ctx, c, retriever, collections, measures)
}

// openRetriever opens the model of a name.
func openRetriever(name string) (evaluate.Retriever, error) {
	return evaluate.NewBM25(name)
}

// openCollections opens what evaluate.collections names, and reports the mistakes of all of them.
func openCollections(c *config.Config) ([]*evaluate.Collection, error) {
	var collections []*evaluate.Collection
	var problems []error
	for i, dir := range c.Evaluate.Collections {
		collection, err := evaluate.OpenCollection(dir, c.Evaluate.Split)
		if err != nil {
			key := fmt.Sprintf("evaluate.collections[%d]", i)
			problems = append(problems, fmt.Errorf("%s: %s: %w", c.At(key), key, err))
			continue
		}
		collections = append(collections, collection)
	}
	return collections, errors.Join(problems...)
}

// evaluateModel scores a model and prints its table.
func evaluateModel(ctx *cli.Context, c *config.Config, retriever evaluate.Retriever,
	collections []*evaluate.Collection, measures []evaluate.Measure) error {
	p := newProgress(ctx.App.ErrWriter, count)
	results, err := evaluate.Evaluate(ctx.Context, retriever, collections, evaluate.Options{
		SearchOptions: evaluate.SearchOptions{
			TopK: c.Evaluate.TopK, RemoveIdentical: ctx.Bool("remove-identical"), Progress: p.count,
		},
		Metrics: measures, Complete: ctx.Bool("complete"), Output: c.Output, Warn: p.note,
	})
	p.finish()
	if err != nil {
		return err
	}
	if ctx.Bool("json") {
		return printJSON(ctx, results)
	}
	fmt.Fprint(ctx.App.Writer, evaluate.Table(results, measures))
	return nil
}
