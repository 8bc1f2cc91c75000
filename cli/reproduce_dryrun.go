package cli

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"revela/config"
	"revela/internal/machine"
	"revela/reproduce"
	"revela/torch"
)

// cost is what a step takes; a pointer is nil where it is not known.
type cost struct {
	Step     string   `json:"step"`
	Command  []string `json:"command"`
	Done     bool     `json:"done"`
	FLOP     float64  `json:"flop,omitempty"`
	Seconds  *float64 `json:"seconds"`
	Memory   *int64   `json:"memory_bytes"`
	Download *int64   `json:"download_bytes"`
	Note     string   `json:"note,omitempty"`
}

// dryRun is the JSON of what an experiment would do.
type dryRun struct {
	Experiment string  `json:"experiment"`
	Table      int     `json:"table"`
	Suite      string  `json:"suite"`
	Scale      string  `json:"scale"`
	Rate       float64 `json:"flops"`  // of large products, a second
	Source     string  `json:"source"` // of that rate
	Note       string  `json:"note,omitempty"`
	Steps      []cost  `json:"steps"`
}

func printDryRun(ctx *cli.Context, plan *reproduce.Plan) error {
	record, err := plan.OpenRecord()
	if err != nil {
		return err
	}
	e := &estimator{plan: plan, fetched: map[string]bool{}}
	result := dryRun{Experiment: plan.Name, Table: plan.Table, Suite: plan.Suite, Scale: ctx.String("scale"), Note: strings.TrimSpace(plan.Corpus.Note)}
	if result.Rate, result.Source, err = productRate(ctx, plan.Config); err != nil {
		return err
	}
	e.rate = result.Rate
	e.retriever, e.lm = e.shape(ctx, plan.Config.Retriever.Checkpoint, plan.Config.Retriever.Revision), e.shape(ctx, plan.Config.LM.Checkpoint, plan.Config.LM.Revision)
	for _, step := range plan.Steps {
		c := cost{Step: step.Name, Command: step.Args, Done: record.Has(step)}
		if err := e.estimate(step, &c); err != nil {
			return err
		}
		result.Steps = append(result.Steps, c)
	}
	if ctx.Bool("json") {
		return printJSON(ctx, result)
	}
	result.print(ctx)
	return nil
}

// productRate is the rate of large products in the training's precision: --tflops, else measured on the device of the
// configuration.
func productRate(ctx *cli.Context, c *config.Config) (rate float64, source string, err error) {
	if ctx.IsSet("tflops") {
		if ctx.Float64("tflops") <= 0 {
			return 0, "", usagef(ctx, "found --tflops %g, expected a number above 0", ctx.Float64("tflops"))
		}
		return ctx.Float64("tflops") * 1e12, "as given", nil
	}
	if _, err := torch.SelectDevice(c.Device); err != nil {
		return 0, "", fmt.Errorf("%s: device: %w", c.At("device"), err)
	}
	torch.SetThreads(c.Threads)
	if torch.OnDevice() {
		dtype := torch.Float32
		if c.Precision == "bf16" || c.Precision == "auto" && torch.DeviceMultipliesBF16() {
			dtype = torch.BFloat16
		}
		rate, err = machine.MultiplyRate(dtype, 4096, 200*time.Millisecond)
		return rate, "measured on " + torch.Device(), err
	}
	products, err := machine.MeasureProducts()
	if c.Precision == "bf16" || c.Precision == "auto" && products.Precision() == "bf16" {
		return products.BF16, "of bf16, measured on this CPU", err
	}
	return products.FP32, "of fp32, measured on this CPU", err
}

// print writes a step's command and below it what it takes.
func (d *dryRun) print(ctx *cli.Context) {
	w := ctx.App.Writer
	fmt.Fprintf(w, "%s: table %d of arXiv 2506.16552, %s", d.Experiment, d.Table, d.Suite)
	if d.Scale == "tiny" {
		fmt.Fprint(w, ", its chain on models and data made here")
	}
	fmt.Fprintln(w)
	if d.Note != "" {
		fmt.Fprintln(w, d.Note)
	}
	total := 0.0
	for _, c := range d.Steps {
		fmt.Fprintf(w, "\n# %s%s\nrevela %s\n", c.Step, cmp.Or(c.words(), ""), reproduce.Shell(c.Command))
		if c.Seconds != nil && !c.Done {
			total += *c.Seconds
		}
	}
	fmt.Fprintf(w, "\n# about %s in all, at %.3g · 10¹² products' operations a second (%s), of which training is taken to reach %.0f %% and encoding %.0f %%\n",
		long(total), d.Rate/1e12, d.Source, 100*trainShare, 100*encodeShare)
}

// words says what a step takes.
func (c *cost) words() string {
	if c.Done {
		return ": done before"
	}
	var parts []string
	if c.Seconds != nil {
		parts = append(parts, fmt.Sprintf("about %s for %.2g FLOP", long(*c.Seconds), c.FLOP))
	}
	if c.Memory != nil {
		parts = append(parts, "memory about "+size(*c.Memory))
	}
	switch {
	case c.Download == nil:
		parts = append(parts, "download of unknown size")
	case *c.Download > 0:
		parts = append(parts, "download about "+size(*c.Download))
	}
	if c.Note != "" {
		parts = append(parts, c.Note)
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, "; ")
}

// long formats a duration from seconds to years.
func long(seconds float64) string {
	for _, unit := range []struct {
		name    string
		seconds float64
	}{{"years", 365 * 86400}, {"days", 86400}, {"hours", 3600}, {"minutes", 60}} {
		if seconds >= 2*unit.seconds {
			return fmt.Sprintf("%.1f %s", seconds/unit.seconds, unit.name)
		}
	}
	return fmt.Sprintf("%.1f seconds", seconds)
}
