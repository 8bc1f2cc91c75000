package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"revela/evaluate/tasks"
	"revela/model/checkpoint"
	"revela/reproduce"
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

// estimator knows the models of a plan.
type estimator struct {
	plan          *reproduce.Plan
	retriever, lm *network // nil: the shape is not known
	fetched       map[string]bool
	rate          float64
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
func (e *estimator) estimate(step reproduce.Step, c *cost) error {
	nothing := int64(0)
	switch step.Name {
	case reproduce.StepPairs:
		c.Note = e.groups()
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

// groups says what is known of the published groups.
func (e *estimator) groups() string {
	if e.plan.Tiny {
		return ""
	}
	n := int64(0)
	for _, d := range e.plan.Corpus.Groups {
		n += int64(d.Number)
	}
	return fmt.Sprintf("%s groups of %d chunks, about %s of text", count(n), chunksInGroup, size(n*chunksInGroup*chunkBytes))
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
	c.Note = "that is the models; of unknown size: the benchmark"
	if !e.plan.Corpus.Pairs {
		c.Note += " and " + e.groups()
	}
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
	_, taken := e.retriever.estimateRetriever(config)
	memory := taken.total()
	if !infonce {
		_, taken = lm.estimateLM(config)
		memory += taken.total()
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
