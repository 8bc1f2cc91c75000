package cli

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"revela/config"
	"revela/encode"
	"revela/model"
)

func exportCommand() command {
	return command{
		name:    "export",
		summary: "write a checkpoint's retriever for sentence-transformers or PEFT",
		details: "DIR is a checkpoint of a run (checkpoints/step-000500), whose configuration says how the retriever reads texts,\n" +
			"or any folder that evaluate takes as --model. Writes the weights, adapter merged, in fp32, in the layout of\n" +
			"sentence-transformers; what train leaves in model is made so as well, but averaged where average_with_start says\n" +
			"so. With --format peft writes the checkpoint's adapter alone, scaled so that it gives that average.",
		examples: []string{
			"revela export --checkpoint runs/example/checkpoints/step-000500 --output runs/step-500",
			"revela export --checkpoint runs/example/checkpoints/step-000500 --output runs/adapter --format peft",
		},
		flags: append(append(modelFlags(&cli.StringFlag{Name: "checkpoint", Usage: "`DIR` to export"}), prefixFlags()...),
			&cli.StringFlag{Name: "output", Usage: "`DIR` to write; an older one is replaced when the new one is complete"},
			&cli.StringFlag{Name: "format", Value: "sentence-transformers", Usage: "layout, `F`: sentence-transformers or peft"},
			jsonFlag(),
		),
		run: runExport,
	}
}

// exported is the JSON of an export.
type exported struct {
	Output   string         `json:"output"`
	Format   string         `json:"format"`
	Base     string         `json:"base"` // the checkpoint that training began with
	Settings map[string]any `json:"settings,omitempty"`
}

func runExport(ctx *cli.Context) error {
	if err := require(ctx, "checkpoint", "output"); err != nil {
		return err
	}
	write, known := map[string]func(*cli.Context, *config.Config, source) (*exported, error){
		"sentence-transformers": exportSentence, "peft": exportPEFT,
	}[ctx.String("format")]
	if !known {
		return usagef(ctx, "found --format %s, expected sentence-transformers or peft", ctx.String("format"))
	}
	own := maps.Clone(modelKeys)
	own["max-length"] = "retriever.max_length"
	c, err := configuration(ctx, own)
	if err != nil {
		return err
	}
	from, err := checkpointModel(c, ctx.String("checkpoint"))
	if err != nil {
		return err
	}
	result, err := write(ctx, c, from)
	if err != nil {
		return err
	}
	if ctx.Bool("json") {
		return printJSON(ctx, result)
	}
	fmt.Fprintf(ctx.App.Writer, "%s: the retriever in the layout of %s\n", result.Output, result.Format)
	return nil
}

// source is a model to export.
type source struct {
	encode.OpenOptions
	base string // the name of the checkpoint that its training began with

	share    float64 // of the start in what training writes, average_with_start
	began    string  // the adapter that training began with, "" for none
	averaged string  // where average_with_start was set
}

// checkpointModel says how to open what a checkpoint holds: of a run's checkpoint as its configuration says, of another
// folder as its own files say. Flags win over both.
func checkpointModel(c *config.Config, dir string) (source, error) {
	from := source{OpenOptions: encode.OpenOptions{Model: dir}, base: dir}
	if parent := filepath.Dir(filepath.Clean(dir)); filepath.Base(dir) == "retriever" && exists(parent, trainerFile) {
		dir = parent
	}
	if exists(dir, trainerFile) {
		stored, err := config.Load(filepath.Join(dir, "config.yaml"), nil)
		if err != nil {
			return from, fmt.Errorf("read the checkpoint's configuration: %w", err)
		}
		from.Model, from.base = stored.Retriever.Checkpoint, stored.Retriever.Checkpoint
		from.share, from.began = stored.Retriever.AverageWithStart, stored.Retriever.Adapter
		from.averaged = stored.At("retriever.average_with_start")
		override(stored, &from.OpenOptions, func(key string) bool { return strings.HasPrefix(key, "retriever.") })
		from.continueIn(filepath.Join(dir, "retriever"))
	} else if name, _, err := encode.AdapterBase(dir); err != nil {
		return from, err
	} else if name != "" {
		from.base = name
	}
	override(c, &from.OpenOptions, func(key string) bool { return onCommandLine(c, key) })
	return from, nil
}

// trainerFile tells a checkpoint of a run from other folders.
const trainerFile = "trainer.json"

// continueIn puts what a checkpoint holds in the place of what training began with; it holds nothing where nothing learns.
func (s *source) continueIn(dir string) {
	switch {
	case exists(dir, "config.json"):
		s.Model, s.Revision, s.Adapter = dir, "", ""
	case exists(dir, "adapter_config.json"):
		s.Adapter = dir
	}
}

func exists(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return err == nil
}

func exportSentence(ctx *cli.Context, c *config.Config, from source) (*exported, error) {
	e, err := open(ctx, c, from.OpenOptions)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	output, settings := ctx.String("output"), e.Settings()
	delete(settings, "adapter") // merged
	err = model.ExportSentence(output, model.Export{
		Network: e.Retriever.Network, Config: e.Config, Tokenizer: e.Retriever.Tokenizer, Base: from.base,
	}, e.Retriever.RetrieverSettings)
	return &exported{Output: output, Format: "sentence-transformers", Base: from.base, Settings: settings}, err
}

func exportPEFT(ctx *cli.Context, c *config.Config, from source) (*exported, error) {
	adapter := from.Adapter
	if name, revision, err := encode.AdapterBase(from.Model); err != nil {
		return nil, err
	} else if name != "" && adapter == "" {
		adapter, from.Model, from.Revision = from.Model, name, revision
	}
	if adapter == "" {
		return nil, fmt.Errorf("--format peft: %s has weights of its own, expected an adapter", from.Model)
	}
	if from.share > 0 && from.began != "" {
		return nil, fmt.Errorf("--format peft: %s: retriever.average_with_start: found %g with a run that began with the adapter %s, "+
			"expected 0: no adapter of one rank is the average of two", from.averaged, from.share, from.began)
	}
	from.Adapter = ""
	e, err := open(ctx, c, from.OpenOptions)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	lora, err := model.LoadAdapter(e.Retriever.Network, adapter, true)
	if err != nil {
		return nil, err
	}
	output := ctx.String("output")
	err = model.SaveScaledAdapter(e.Retriever.Network, output, from.base, lora, 1-from.share)
	return &exported{Output: output, Format: "peft", Base: from.base}, err
}
