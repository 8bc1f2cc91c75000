package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"revela/config"
	"revela/data"
	"revela/data/hub"
	"revela/model"
	"revela/model/checkpoint"
)

func checkCommand() command {
	return command{
		name:    "check",
		summary: "dry run: validate a configuration and all that it names, estimate memory",
		details: "Reports every mistake of the configuration at once. Then resolves the checkpoints (what is missing is\n" +
			"downloaded, as train would), reads every line of the groups, the queries and judgements of the collections,\n" +
			"and estimates the memory that training takes. Nothing is written below output.",
		examples: []string{
			"revela check --config configs/quickstart.yaml",
			"revela check --config configs/quickstart.yaml --set retriever.lora.rank=16 --json",
		},
		flags: []cli.Flag{configFlag(), jsonFlag()},
		run:   runCheck,
	}
}

// checked is what a dry run found.
type checked struct {
	Config      string              `json:"config"`
	Retriever   *checkedModel       `json:"retriever,omitempty"`
	LM          *checkedModel       `json:"lm,omitempty"`
	Groups      *checkedGroups      `json:"groups,omitempty"`
	Collections []checkedCollection `json:"collections"`
}

type checkedModel struct {
	Checkpoint   string `json:"checkpoint"`
	Adapter      string `json:"adapter,omitempty"`
	Folder       string `json:"folder"`
	Architecture string `json:"architecture"`
	Parameters   int64  `json:"parameters"`
	Learning     int64  `json:"learning"` // parameters that learn
	Memory       memory `json:"memory"`   // bytes, estimated
}

type checkedGroups struct {
	Files   []data.File `json:"files"`
	Groups  int         `json:"groups"`
	Queries int         `json:"queries"` // of the first group; 0 where its texts are the queries
	Texts   int         `json:"texts"`   // of the first group
}

type checkedCollection struct {
	Name      string `json:"name"`
	Queries   int    `json:"queries"`
	Documents int    `json:"documents"`
}

func runCheck(ctx *cli.Context) error {
	if err := require(ctx, "config"); err != nil {
		return err
	}
	c, err := configuration(ctx, nil)
	if err != nil {
		return err
	}
	result := checked{Config: ctx.String("config"), Collections: []checkedCollection{}}
	if err := result.fill(ctx, c); err != nil {
		return err
	}
	if ctx.Bool("json") {
		return printJSON(ctx, result)
	}
	result.print(ctx.App.Writer)
	return nil
}

// fill checks all parts, and reports the mistakes of all of them.
func (r *checked) fill(ctx *cli.Context, c *config.Config) error {
	_, measuresErr := configuredMeasures(c)
	return errors.Join(measuresErr, r.checkModels(ctx, c), r.checkGroups(ctx, c), r.checkCollections(ctx, c))
}

func (r *checked) checkModels(ctx *cli.Context, c *config.Config) (err error) {
	p := newProgress(ctx.App.ErrWriter, size)
	defer p.finish()
	resolver := &checkpoint.Resolver{Progress: p.report}
	r.Retriever = &checkedModel{Checkpoint: c.Retriever.Checkpoint, Adapter: c.Retriever.Adapter}
	err = r.Retriever.check(ctx, resolver, c, "retriever", c.Retriever.Revision, network.estimateRetriever)
	if c.Objective.Name == "infonce" {
		return err
	}
	r.LM = &checkedModel{Checkpoint: c.LM.Checkpoint, Adapter: c.LM.Adapter}
	return errors.Join(err, r.LM.check(ctx, resolver, c, "lm", c.LM.Revision, network.estimateLM))
}

// check finds a model's files, reads its shape and estimates what training it takes.
func (m *checkedModel) check(ctx *cli.Context, resolver *checkpoint.Resolver, c *config.Config, section, revision string,
	estimate func(network, *config.Config) (learning int64, m memory)) error {
	key := section + ".checkpoint"
	n, err := m.find(ctx, resolver, revision, section == "lm")
	if err != nil {
		return fmt.Errorf("%s: %s: %w", c.At(key), key, err)
	}
	if m.Adapter != "" {
		if _, err := resolver.Resolve(ctx.Context, m.Adapter, ""); err != nil {
			return fmt.Errorf("%s: %s.adapter: %w", c.At(section+".adapter"), section, err)
		}
	}
	m.Parameters = n.parameters()
	m.Learning, m.Memory = estimate(n, c)
	return nil
}

// find resolves a checkpoint and reads its shape and its tokenizer.
func (m *checkedModel) find(ctx *cli.Context, resolver *checkpoint.Resolver, revision string, withHead bool) (n network, err error) {
	if m.Folder, err = resolver.Resolve(ctx.Context, m.Checkpoint, revision); err != nil {
		return n, err
	}
	shape, err := checkpoint.ReadConfig(m.Folder)
	if err != nil {
		return n, err
	}
	m.Architecture = cmp.Or(strings.Join(shape.Architectures, ", "), shape.ModelType)
	if n, err = newNetwork(shape, withHead); err != nil {
		return n, err
	}
	_, err = model.LoadTokenizer(m.Folder)
	return n, err
}

func (r *checked) checkGroups(ctx *cli.Context, c *config.Config) error {
	if len(c.Data.Groups) == 0 {
		return nil
	}
	p := newProgress(ctx.App.ErrWriter, size)
	files, err := hub.Groups(ctx.Context, &checkpoint.Resolver{Progress: p.report}, c.Data.Groups)
	p.finish()
	if err != nil {
		return fmt.Errorf("%s: data.groups: %w", c.At("data.groups"), err)
	}
	groups, err := data.Open(files, data.Options{Seed: c.Seed, GroupSize: c.Data.GroupSize})
	if err != nil {
		return fmt.Errorf("%s: data.groups: %w", c.At("data.groups"), err)
	}
	defer groups.Close()
	first, err := groups.Group(0, 0)
	if err != nil {
		return err
	}
	r.Groups = &checkedGroups{Files: groups.Files(), Groups: groups.Len(), Queries: len(first.Queries), Texts: len(first.Texts)}
	return nil
}

func (r *checked) checkCollections(ctx *cli.Context, c *config.Config) error {
	entries, err := namedCollections(ctx, c)
	problems := []error{err}
	for _, entry := range entries {
		collection, err := entry.Open(ctx.Context)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			problems = append(problems, err)
			continue
		}
		r.Collections = append(r.Collections,
			checkedCollection{Name: collection.Name, Queries: len(collection.Queries), Documents: len(collection.IDs)})
	}
	return errors.Join(problems...)
}

// print writes a line a part.
func (r *checked) print(w io.Writer) {
	fmt.Fprintf(w, "%-12s %s has no mistake\n", "config", r.Config)
	total := r.Retriever.print(w, "retriever") + r.LM.print(w, "lm")
	switch g := r.Groups; {
	case g == nil:
		fmt.Fprintf(w, "%-12s none named (data.groups); train needs some\n", "groups")
	case g.Queries > 0:
		fmt.Fprintf(w, "%-12s %s; the first has %d queries and %d texts\n", "groups", count(int64(g.Groups)), g.Queries, g.Texts)
	default:
		fmt.Fprintf(w, "%-12s %s; the first has %d texts\n", "groups", count(int64(g.Groups)), g.Texts)
	}
	for _, c := range r.Collections {
		fmt.Fprintf(w, "%-12s %s: %s queries, %s documents\n", "collection", c.Name, count(int64(c.Queries)), count(int64(c.Documents)))
	}
	fmt.Fprintf(w, "%-12s about %s to train, at most lengths and without what libraries take\n", "memory", size(total))
}

// print writes the model's line and returns the memory that it takes.
func (m *checkedModel) print(w io.Writer, name string) int64 {
	if m == nil {
		return 0
	}
	fmt.Fprintf(w, "%-12s %s, %s: %s parameters, %s learn; %s weights, %s gradients and moments, %s activations\n", name,
		m.Folder, m.Architecture, count(m.Parameters), count(m.Learning),
		size(m.Memory.Weights), size(m.Memory.Learning), size(m.Memory.Activations))
	return m.Memory.total()
}
