package train

import (
	"context"
	"fmt"

	"revela/config"
	"revela/data"
	"revela/data/hub"
	"revela/internal/machine"
	"revela/model"
	"revela/model/checkpoint"
	"revela/model/tokenizer"
	"revela/torch"
)

// inputs are what a run starts from, found and checked but not loaded.
type inputs struct {
	config    *config.Config // nothing in it is `auto` any more, but for activation checkpointing
	groups    *data.Groups
	retriever source
	lm        *source // nil where the objective has none
	settings  model.RetrieverSettings
	compute   torch.DType // of the products
}

// source is where a model comes from.
type source struct {
	name         string // as the configuration says
	dir, adapter string // folders; no adapter: ""
	tokenizer    *tokenizer.Tokenizer
}

// findInputs resolves checkpoints, downloading what is missing, and opens the groups.
func findInputs(ctx context.Context, c *config.Config, progress checkpoint.Progress) (*inputs, error) {
	resolved := *c
	in := &inputs{config: &resolved}
	if err := in.resolveMachine(); err != nil {
		return nil, err
	}
	resolver := &checkpoint.Resolver{Progress: progress}
	var err error
	if in.groups, err = openGroups(ctx, resolver, c); err != nil {
		return nil, err
	}
	if err := in.findModels(ctx, resolver); err != nil {
		in.groups.Close()
		return nil, err
	}
	return in, nil
}

// openGroups opens the files of groups, fetching those of data sets of the hub.
func openGroups(ctx context.Context, resolver *checkpoint.Resolver, c *config.Config) (*data.Groups, error) {
	if len(c.Data.Groups) == 0 {
		return nil, fmt.Errorf("%s: found nothing, expected a groups file (see `revela prepare`)", at(c, "data.groups"))
	}
	files, err := hub.Groups(ctx, resolver, c.Data.Groups)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at(c, "data.groups"), err)
	}
	groups, err := data.Open(files, data.Options{
		Seed: c.Seed, GroupSize: c.Data.GroupSize, Shuffle: c.Data.Shuffle, ShuffleWithinGroup: c.Data.ShuffleWithinGroup,
		KeepPairs: c.Objective.Name == "infonce",
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at(c, "data.groups"), err)
	}
	return groups, nil
}

// resolveMachine settles what depends on the machine: device and precision.
func (in *inputs) resolveMachine() error {
	c := in.config
	var err error
	if c.Device, err = torch.SelectDevice(c.Device); err != nil {
		return fmt.Errorf("%s: %w", at(c, "device"), err)
	}
	if c.Precision == "auto" {
		if c.Precision, err = machine.Precision(); err != nil {
			return fmt.Errorf("%s: %w", at(c, "precision"), err)
		}
	}
	in.compute = dtypeOf(c.Precision)
	return nil
}

func dtypeOf(precision string) torch.DType {
	if precision == "bf16" {
		return torch.BFloat16
	}
	return torch.Float32
}

func (in *inputs) findModels(ctx context.Context, resolver *checkpoint.Resolver) error {
	c := in.config
	var err error
	if in.retriever, err = find(ctx, resolver, c, "retriever", c.Retriever.Checkpoint, c.Retriever.Revision, c.Retriever.Adapter); err != nil {
		return err
	}
	if err := in.resolveSettings(); err != nil {
		return err
	}
	if c.Objective.Name == "infonce" {
		return nil
	}
	lm, err := find(ctx, resolver, c, "lm", c.LM.Checkpoint, c.LM.Revision, c.LM.Adapter)
	in.lm = &lm
	return err
}

// find resolves the names of a section's model.
func find(ctx context.Context, resolver *checkpoint.Resolver, c *config.Config, section, name, revision, adapter string) (source, error) {
	s := source{name: name}
	var err error
	if s.dir, err = resolver.Resolve(ctx, name, revision); err != nil {
		return s, fmt.Errorf("%s: %w", at(c, section+".checkpoint"), err)
	}
	if s.tokenizer, err = model.LoadTokenizer(s.dir); err != nil {
		return s, fmt.Errorf("%s: %w", at(c, section+".checkpoint"), err)
	}
	if adapter == "" {
		return s, nil
	}
	if s.adapter, err = resolver.Resolve(ctx, adapter, ""); err != nil {
		return s, fmt.Errorf("%s: %w", at(c, section+".adapter"), err)
	}
	return s, nil
}

// resolveSettings settles how the retriever reads texts: pooling from sentence-transformers' files, else by architecture.
func (in *inputs) resolveSettings() error {
	r := &in.config.Retriever
	network, err := checkpoint.ReadConfig(in.retriever.dir)
	if err != nil {
		return fmt.Errorf("%s: %w", at(in.config, "retriever.checkpoint"), err)
	}
	encoder := network.ModelType == "bert"
	if r.Pooling == "auto" {
		sentence, ok, err := model.ReadSentenceConfig(in.retriever.dir)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", at(in.config, "retriever.pooling"), err)
		case ok:
			r.Pooling = string(sentence.Pooling)
		case encoder:
			r.Pooling = string(model.PoolMean)
		default:
			r.Pooling = string(model.PoolEOS)
		}
	}
	if r.AppendEOS == config.Auto {
		r.AppendEOS = config.Off
		if model.EndsWithEOS(in.retriever.tokenizer, model.Pooling(r.Pooling)) {
			r.AppendEOS = config.On
		}
	}
	in.settings = model.RetrieverSettings{
		Pooling: model.Pooling(r.Pooling), Normalize: r.Normalize, AppendEOS: r.AppendEOS == config.On,
		QueryPrefix: r.QueryPrefix, PassagePrefix: r.PassagePrefix, MaxLength: r.MaxLength,
	}
	return in.checkLengths(encoder, network.MaxPositionEmbeddings)
}

// checkLengths refuses texts longer than the learned positions of an encoder.
func (in *inputs) checkLengths(encoder bool, positions int) error {
	r := in.config.Retriever
	for key, length := range map[string]int{
		"retriever.max_length":       r.MaxLength,
		"retriever.train_max_length": max(r.TrainMaxLength.Query, r.TrainMaxLength.Passage),
	} {
		if encoder && length > positions {
			return fmt.Errorf("%s: found %d, expected at most %d, the positions that %s has", at(in.config, key), length,
				positions, in.retriever.dir)
		}
	}
	return nil
}
