package train

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"revela/config"
	"revela/model"
	"revela/torch"
)

// learner is a model in training.
type learner struct {
	name      string // "retriever" or "lm"
	network   model.Network
	source    source
	lora      *model.LoRAOptions // nil without LoRA
	schedule  Schedule
	optimizer *optimizer // over no parameter where the model is frozen
}

// learns reports whether anything in the model learns.
func (l *learner) learns() bool { return len(l.optimizer.params) > 0 }

// recipe is what the sections retriever and lm have in common.
type recipe struct {
	name   string
	source source
	lora   *config.LoRA
	freeze config.Freeze
	load   func(dir string, o model.Options) (model.Network, error)
}

// network loads a model and makes of it what learns. from is the model's folder in a checkpoint to continue from, "" to
// start: adapters are read from there, or, where weights learn in full, the whole model.
func (r recipe) network(in *inputs, from string) (model.Network, *model.LoRAOptions, error) {
	dir, whole := r.source.dir, from != "" && r.lora == nil && r.freeze != config.FreezeAll
	if whole {
		dir = from
	}
	n, err := r.load(dir, model.Options{Compute: in.compute, Learns: r.learns()})
	if err != nil {
		return nil, nil, fmt.Errorf("load %s: %w", r.name, err)
	}
	if whole {
		return n, nil, nil
	}
	lora, err := r.adapt(in, n, from)
	if err == nil {
		err = model.Prepack(n, true)
	}
	if err != nil {
		n.Free()
		return nil, nil, fmt.Errorf("load %s: %w", r.name, err)
	}
	return n, lora, nil
}

// learns tells the parameters that learn in full: none with LoRA; with `freeze: embeddings` all but the embedding tables,
// their norm and a tied head, which is the table itself.
func (r recipe) learns() func(name string) bool {
	switch {
	case r.lora != nil || r.freeze == config.FreezeAll:
		return nil
	case r.freeze == config.FreezeEmbeddings:
		return func(name string) bool {
			return !strings.HasSuffix(name, "embed_tokens.weight") && !strings.Contains("."+name, ".embeddings.")
		}
	}
	return func(string) bool { return true }
}

// adapt adds LoRA (new, of the adapter that training continues, or of a checkpoint), or merges the adapter where there is
// none to train.
func (r recipe) adapt(in *inputs, n model.Network, from string) (*model.LoRAOptions, error) {
	if r.lora == nil {
		return nil, mergeAdapter(n, r.source.adapter)
	}
	o := model.LoRAOptions{Rank: r.lora.Rank, Alpha: r.lora.Alpha, Dropout: r.lora.Dropout, Targets: r.lora.Targets}
	if r.lora.Targets.AllLinear() {
		o.Targets = nil
	}
	if from = cmp.Or(from, r.source.adapter); from == "" {
		return &o, model.AddLoRA(n, o, uint64(in.config.Seed))
	}
	found, err := model.LoadAdapter(n, from, true)
	if err != nil {
		return nil, err
	}
	return &o, r.agree(in.config, n, found, o)
}

// mergeAdapter adds the low-rank updates of a PEFT folder to the weights; "" stands for none.
func mergeAdapter(n model.Network, dir string) error {
	if dir == "" {
		return nil
	}
	if _, err := model.LoadAdapter(n, dir, false); err != nil {
		return err
	}
	return model.MergeAdapter(n)
}

// agree checks that an adapter to continue is of the kind that the configuration asks for, and sets its dropout.
func (r recipe) agree(c *config.Config, n model.Network, found, want model.LoRAOptions) error {
	key := r.name + ".lora."
	if found.Rank != want.Rank {
		return fmt.Errorf("%s: found %d, expected %d as the adapter has", at(c, key+"rank"), want.Rank, found.Rank)
	}
	if found.Alpha != want.Alpha {
		return fmt.Errorf("%s: found %g, expected %g as the adapter has", at(c, key+"alpha"), want.Alpha, found.Alpha)
	}
	for name, l := range n.Linears() {
		isTarget := want.Targets == nil || slices.ContainsFunc(want.Targets, func(target string) bool {
			return name == target || strings.HasSuffix(name, "."+target)
		})
		switch {
		case isTarget && l.LoRA == nil:
			return fmt.Errorf("%s: the adapter does not change %s, expected the targets that it has", at(c, key+"targets"), name)
		case !isTarget && l.LoRA != nil:
			return fmt.Errorf("%s: the adapter changes %s too, expected the targets that it has", at(c, key+"targets"), name)
		case isTarget:
			l.LoRA.Dropout = want.Dropout
		}
	}
	return nil
}

// parameters lists all parameters of a network once, a language model's own head included.
func parameters(n model.Network) []*model.Param {
	if lm, ok := n.(*model.LanguageModel); ok {
		return lm.Params()
	}
	return model.AllParams(n)
}

func retrieverRecipe(in *inputs) recipe {
	r := in.config.Retriever
	return recipe{"retriever", in.retriever, r.LoRA, r.Freeze, model.Load}
}

func lmRecipe(in *inputs) recipe {
	l := in.config.LM
	return recipe{"lm", *in.lm, l.LoRA, l.Freeze, func(dir string, o model.Options) (model.Network, error) {
		return model.LoadLanguageModel(dir, o)
	}}
}

// start loads the model that training begins with, anew, its adapter merged, in fp32.
func (r recipe) start() (model.Network, error) {
	n, err := r.load(r.source.dir, model.Options{Compute: torch.Float32})
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", r.name, err)
	}
	if err := mergeAdapter(n, r.source.adapter); err != nil {
		n.Free()
		return nil, fmt.Errorf("load %s: %w", r.name, err)
	}
	return n, nil
}

// newLearner loads a model with its optimiser; from as for [recipe.network].
func (r recipe) newLearner(in *inputs, from string, s Schedule) (*learner, error) {
	n, lora, err := r.network(in, from)
	if err != nil {
		return nil, err
	}
	o, err := newOptimizer(in.config.Train.Optimizer, model.Learning(parameters(n)))
	if err != nil {
		n.Free()
		return nil, err
	}
	return &learner{name: r.name, network: n, source: r.source, lora: lora, schedule: s, optimizer: o}, nil
}

// free gives the memory of the model and its optimiser back.
func (l *learner) free() {
	l.optimizer.free()
	l.network.Free()
}

// newObjective is what the configuration says to minimise.
func newObjective(c *config.Config, m Models, recompute bool) Objective {
	similarity := model.Similarity{Temperature: c.Objective.Temperature, Normalize: c.Retriever.Normalize,
		ExcludeSelf: c.Objective.ExcludeSelf, Precision: torch.Float32}
	if c.Objective.SimilarityPrecision == "bf16" {
		similarity.Precision = torch.BFloat16
	}
	if c.Objective.Name == "infonce" {
		return &InfoNCE{Models: m, Similarity: similarity, Recompute: recompute, Dropout: drops(c.Retriever.LoRA)}
	}
	return &Revela{
		Models: m, Similarity: similarity, Scale: c.Objective.Scale, ValueNorm: c.Objective.ValueNorm,
		Detach: c.Objective.DetachPassages, DualLoss: c.Objective.DualLoss, Recompute: recompute,
		Dropout: drops(c.Retriever.LoRA) || drops(c.LM.LoRA),
	}
}

func drops(lora *config.LoRA) bool { return lora != nil && lora.Dropout > 0 }

// newBatcher reads groups as the configuration says.
func newBatcher(c *config.Config, m Models) *Batcher {
	return &Batcher{Models: m, FirstHalf: c.Objective.Query == "first_half", Lengths: Lengths{
		RetrieverQuery: c.Retriever.TrainMaxLength.Query, RetrieverText: c.Retriever.TrainMaxLength.Passage,
		LMQuery: c.Data.MaxLength.Query, LMText: c.Data.MaxLength.Text,
	}}
}
