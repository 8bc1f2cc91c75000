package cli

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"revela/config"
	"revela/evaluate/tasks"
	"revela/internal/machine"
	"revela/model/checkpoint"
	"revela/reproduce"
	"revela/torch"
)

// Assumptions of estimates.
const (
	trainShare     = 0.65 // of the rate of a large product; benchmarks/baseline.json has 0.67 and 0.72 for training steps
	encodeShare    = 0.7  // of that in encoding: 0.72 and 0.80 there
	documentTokens = 160  // of a document on the average
	queryTokens    = 30
	chunkBytes     = 700 // of a chunk of at most 120 words
	chunksInGroup  = 16
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
	Rate       float64 `json:"flops"`  // of large products, a second
	Source     string  `json:"source"` // of that rate
	Note       string  `json:"note,omitempty"`
	Steps      []cost  `json:"steps"`
}

// estimator knows the models of a plan.
type estimator struct {
	plan          *reproduce.Plan
	retriever, lm *network // nil: the shape is not known
	fetched       map[string]bool
	rate          float64
}

func printDryRun(ctx *cli.Context, plan *reproduce.Plan) error {
	record, err := plan.OpenRecord()
	if err != nil {
		return err
	}
	e := &estimator{plan: plan, fetched: map[string]bool{}}
	result := dryRun{Experiment: plan.Name, Table: plan.Table, Suite: plan.Suite, Note: strings.TrimSpace(plan.Corpus.Note)}
	if result.Rate, result.Source, err = productRate(ctx, plan.Config); err != nil {
		return err
	}
	e.rate = result.Rate
	e.retriever, e.lm = e.shape(ctx, plan.Config.Retriever.Checkpoint, plan.Config.Retriever.Revision), e.shape(ctx, plan.Config.LM.Checkpoint, plan.Config.LM.Revision)
	for i, step := range plan.Steps {
		c := cost{Step: step.Name, Command: step.Args, Done: record.Has(step)}
		if err := e.estimate(step, i, &c); err != nil {
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
	if c.Precision == "bf16" || c.Precision == "auto" && products.FastBF16() {
		return products.BF16, "of bf16, measured on this CPU", err
	}
	return products.FP32, "of fp32, measured on this CPU", err
}

// shape finds the sizes of a model: in a folder, in the hub's cache, among the paper's, or that of the scale tiny; nil where
// it is none of them.
func (e *estimator) shape(ctx *cli.Context, name, revision string) *network {
	dir := name
	if _, err := os.Stat(filepath.Join(name, "config.json")); err != nil {
		offline := &checkpoint.Resolver{Env: func(key string) (string, bool) {
			if key == "HF_HUB_OFFLINE" {
				return "1", true
			}
			return os.LookupEnv(key)
		}}
		dir = ""
		if !strings.HasPrefix(name, "pypi:") {
			dir, _ = offline.Resolve(ctx.Context, name, revision) // an error: it is not here
		}
	}
	var c *checkpoint.Config
	var err error
	switch known, found := reproduce.Shapes[name]; {
	case dir != "":
		e.fetched[name] = true
		c, err = checkpoint.ReadConfig(dir)
	case found:
		c, err = checkpoint.ParseConfig(name, []byte(known))
	case e.plan.Tiny:
		c, err = reproduce.TinyShape(reproduce.TinyVocabulary)
	}
	if err != nil || c == nil {
		return nil
	}
	n, err := newNetwork(c, true)
	if err != nil {
		return nil
	}
	return &n
}

// estimate fills in what a step takes.
func (e *estimator) estimate(step reproduce.Step, at int, c *cost) error {
	nothing := int64(0)
	switch step.Name {
	case reproduce.StepGroups:
		e.groups(e.plan.Corpus.Groups[at], step, c)
	case reproduce.StepCheck:
		e.models(c)
	case reproduce.StepTrain:
		c.Download = &nothing
		e.train(c)
	case reproduce.StepEvaluate:
		if !e.plan.Options.Published {
			c.Download = &nothing // check has fetched it
		}
		return e.evaluate(c)
	default:
		c.Download = &nothing
	}
	return nil
}

func (e *estimator) groups(d reproduce.Dataset, step reproduce.Step, c *cost) {
	if c.Done {
		nothing := int64(0)
		c.Download = &nothing
	}
	c.Note = fmt.Sprintf("%s groups of %d chunks, about %s of text; the size of the files is not known",
		count(int64(d.Number)), chunksInGroup, size(int64(d.Number)*chunksInGroup*chunkBytes))
}

// models is what check fetches. Weights lie on the hub in bf16.
func (e *estimator) models(c *cost) {
	if e.plan.Tiny {
		nothing := int64(0)
		c.Download = &nothing
		return
	}
	var total int64
	known := true
	add := func(name string, n *network) {
		switch {
		case e.fetched[name]:
		case n == nil:
			known = false
		default:
			total += n.parameters() * 2
		}
	}
	add(e.plan.Config.Retriever.Checkpoint, e.retriever)
	if lm := e.plan.Config.LM.Checkpoint; e.plan.Config.Objective.Name != "infonce" && lm != e.plan.Config.Retriever.Checkpoint {
		add(lm, e.lm)
	}
	if known {
		c.Download = &total
	}
	c.Note = "the models'; and the benchmark's data, whose size is not known"
}

func (e *estimator) train(c *cost) {
	config := e.plan.Config
	infonce := config.Objective.Name == "infonce"
	if e.retriever == nil || e.lm == nil && !infonce {
		c.Note = "the shape of a model is not known before it is fetched"
		return
	}
	lm := network{}
	if !infonce {
		lm = *e.lm
	}
	memory := e.retriever.estimate(config, e.retriever.learning(config.Retriever.Freeze, config.Retriever.LoRA), retrieverTokens(config)).total()
	if !infonce {
		memory += lm.estimate(config, lm.learning(config.LM.Freeze, config.LM.LoRA), lmTokens(config)).total()
	}
	c.FLOP = stepFlops(config, *e.retriever, lm) * float64(config.Train.Steps)
	seconds := c.FLOP / (e.rate * trainShare)
	c.Seconds, c.Memory = &seconds, &memory
	c.Note = fmt.Sprintf("%s steps of %d groups", count(int64(config.Train.Steps)), config.Train.GroupsPerStep)
}

// evaluate counts encoding; searching and BM25 are small beside it.
func (e *estimator) evaluate(c *cost) error {
	documents, queries, err := e.collection()
	if err != nil {
		return err
	}
	c.Note = fmt.Sprintf("%s documents and %s queries; %d tokens a document assumed", count(documents), count(queries), documentTokens)
	if e.plan.Options.Published {
		c.Note += "; the model, the adapter and the benchmark are fetched, whose sizes are not known"
	}
	if e.retriever == nil {
		return nil
	}
	c.FLOP = e.retriever.encodeFlops(documents, documentTokens) + e.retriever.encodeFlops(queries, queryTokens)
	seconds := c.FLOP / (e.rate * encodeShare)
	memory := e.retriever.parameters() * 4
	c.Seconds, c.Memory = &seconds, &memory
	c.Note += fmt.Sprintf("; embeddings kept: %s", size(documents*int64(e.retriever.HiddenSize)*4))
	return nil
}

// collection counts what is encoded.
func (e *estimator) collection() (documents, queries int64, err error) {
	if e.plan.Tiny {
		return reproduce.TinyDocuments, reproduce.TinyDocuments, nil
	}
	registry, err := tasks.Load()
	if err != nil {
		return 0, 0, err
	}
	names := e.plan.Tasks
	if len(names) == 0 {
		names = []string{e.plan.Suite}
	}
	for _, name := range names {
		found, err := registry.Find(name)
		if err != nil {
			return 0, 0, err
		}
		for _, t := range found {
			documents, queries = documents+int64(t.Documents), queries+int64(t.Queries)
		}
	}
	return documents, queries, nil
}

// print writes a step's command and below it what it takes.
func (d *dryRun) print(ctx *cli.Context) {
	w := ctx.App.Writer
	fmt.Fprintf(w, "%s: table %d of arXiv 2506.16552, %s\n", d.Experiment, d.Table, d.Suite)
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
