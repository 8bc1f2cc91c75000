package cli

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"revela/train"
)

func trainCommand() command {
	return command{
		name:    "train",
		summary: "train a retriever",
		details: "Trains as the configuration says and writes the run folder, output: config.yaml, metrics.jsonl (a line a step),\n" +
			"checkpoints and, at the end, model, a sentence-transformers folder. Ctrl-C ends it after the current step with a\n" +
			"checkpoint; the same command continues there. A finished run is not repeated unless --resume never says so, which\n" +
			"moves the old one aside.",
		examples: []string{
			"revela train --config configs/quickstart.yaml",
			"revela train --config configs/quickstart.yaml --set train.learning_rate=5e-5 --set output=runs/slower --resume never",
		},
		flags: []cli.Flag{
			configFlag(),
			&cli.StringFlag{Name: "resume", Usage: "where to begin, `R`: auto (the newest checkpoint below output), never, or a checkpoint's folder"},
			jsonFlag(),
		},
		run: runTrain,
	}
}

func runTrain(ctx *cli.Context) error {
	if err := require(ctx, "config"); err != nil {
		return err
	}
	c, err := configuration(ctx, keys{"resume": "train.resume"})
	if err != nil {
		return err
	}
	downloads, texts := newProgress(ctx.App.ErrWriter, size), newProgress(ctx.App.ErrWriter, count)
	summary, err := train.Run(ctx.Context, c, train.RunOptions{
		Version: Version(), Progress: downloads.report, Evaluating: texts.count,
		Step: countSteps(texts),
		Log: func(line string) {
			downloads.finish()
			texts.note(line)
		},
	})
	downloads.finish()
	texts.finish()
	if err != nil {
		return err
	}
	if ctx.Bool("json") {
		return printJSON(ctx, summary)
	}
	printTrained(ctx, summary)
	return nil
}

// countSteps reports steps; those before the first that it hears of were another process's.
func countSteps(p *progress) func(m train.Metrics, steps int) {
	before := -1
	return func(m train.Metrics, steps int) {
		if before < 0 {
			before = m.Step - 1
		}
		p.reportAfter("steps", int64(before), int64(m.Step), int64(steps))
	}
}

func printTrained(ctx *cli.Context, s train.Summary) {
	if s.Repeated {
		fmt.Fprintf(ctx.App.Writer, "%s: finished before, after %d steps\n", s.Output, s.Step)
	} else {
		fmt.Fprintf(ctx.App.Writer, "%s: %d of %d steps, loss %.4f at the last\n", s.Output, s.Step, s.Steps, s.Loss)
	}
	if s.Model != "" {
		fmt.Fprintf(ctx.App.Writer, "%s: the trained retriever\n", s.Model)
	}
}
