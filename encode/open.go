package encode

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"revela/internal/machine"
	"revela/model"
	"revela/model/checkpoint"
	"revela/model/tokenizer"
	"revela/torch"
)

// OpenOptions say which model to open and what of its own settings to change. What is not given comes from the model's
// sentence-transformers files; where there are none: no prefix, pooling as `auto`, unit vectors, at most 512 tokens.
type OpenOptions struct {
	Model    string // a name that [checkpoint.Resolve] takes; a PEFT folder that names its base is fine too
	Revision string // of a HuggingFace id
	Adapter  string // PEFT folder that is merged into the weights

	Pooling                    string // "" or "auto": not given
	Normalize, AppendEOS       *bool
	QueryPrefix, PassagePrefix *string
	MaxLength                  int // 0: not given

	Precision   string // fp32, bf16, or auto: bf16 where the machine multiplies it fast; "": fp32
	BatchTokens int    // 0: DefaultBatchTokens
	StripTexts  bool   // drop white space at the end of texts
	// Search asks for vectors whose inner product is the model's similarity: of unit length where that is the cosine.
	Search bool
	// FitLength cuts MaxLength to the positions that the model has, where it is an error otherwise.
	FitLength bool
	Progress  checkpoint.Progress // of downloads; may be nil
}

// Open loads a retriever for encoding. Close it.
func Open(ctx context.Context, o OpenOptions) (*Encoder, error) {
	f, err := findFolders(ctx, o)
	if err != nil {
		return nil, err
	}
	tok, err := f.tokenizer()
	if err != nil {
		return nil, err
	}
	settings, err := o.settings(f, tok)
	if err != nil {
		return nil, err
	}
	compute, err := precision(o.Precision)
	if err != nil {
		return nil, err
	}
	e := &Encoder{Config: f.config, Model: o.Model, Adapter: o.Adapter, BatchTokens: o.BatchTokens,
		Precision: compute, StripTexts: o.StripTexts, folders: append(f.adapters[:len(f.adapters):len(f.adapters)], f.base)}
	network, err := model.Load(f.base, model.Options{Compute: e.Precision})
	if err != nil {
		return nil, fmt.Errorf("load model: %w", err)
	}
	e.Retriever = &model.Retriever{Network: network, Tokenizer: tok, RetrieverSettings: settings}
	for _, adapter := range f.adapters {
		if err := merge(network, adapter); err != nil {
			e.Close()
			return nil, err
		}
	}
	if err := model.Prepack(network, false); err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

// Close frees the model's memory.
func (e *Encoder) Close() { e.Retriever.Free() }

func merge(n model.Network, adapter string) error {
	if _, err := model.LoadAdapter(n, adapter, false); err != nil {
		return err
	}
	return model.MergeAdapter(n)
}

// precision resolves a name; auto asks what this machine multiplies fast.
func precision(name string) (torch.DType, error) {
	if name == "auto" {
		var err error
		if name, err = machine.Precision(); err != nil {
			return 0, err
		}
	}
	if name == "bf16" {
		return torch.BFloat16, nil
	}
	return torch.Float32, nil
}

// folders are where the parts of a model lie.
type folders struct {
	base     string   // config.json and weights
	adapters []string // PEFT, in the order of merging
	config   *checkpoint.Config
}

func findFolders(ctx context.Context, o OpenOptions) (*folders, error) {
	resolver := &checkpoint.Resolver{Progress: o.Progress}
	f := &folders{}
	var err error
	if f.base, err = resolver.Resolve(ctx, o.Model, o.Revision); err != nil {
		return nil, err
	}
	name, revision, err := AdapterBase(f.base)
	if err != nil {
		return nil, err
	}
	if name != "" {
		f.adapters = []string{f.base}
		if f.base, err = resolver.Resolve(ctx, name, revision); err != nil {
			return nil, fmt.Errorf("%s: base_model_name_or_path: %w", filepath.Join(f.adapters[0], adapterConfig), err)
		}
	}
	if o.Adapter != "" {
		adapter, err := resolver.Resolve(ctx, o.Adapter, "")
		if err != nil {
			return nil, fmt.Errorf("find adapter: %w", err)
		}
		f.adapters = append(f.adapters, adapter)
	}
	f.config, err = checkpoint.ReadConfig(f.base)
	return f, err
}

const adapterConfig = "adapter_config.json"

// isAdapter tells a PEFT folder from one with weights of its own.
func isAdapter(dir string) bool { return isFile(dir, adapterConfig) && !isFile(dir, "config.json") }

func isFile(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return err == nil
}

// AdapterBase returns the name and revision of the model that a PEFT folder belongs to; no name where dir is no such folder.
func AdapterBase(dir string) (name, revision string, err error) {
	if !isAdapter(dir) {
		return "", "", nil
	}
	s, err := checkpoint.ReadSettings(filepath.Join(dir, adapterConfig))
	if err != nil {
		return "", "", err
	}
	const key, expected = "base_model_name_or_path", "the name of the adapter's model"
	if s.Read("revision", &revision, "a revision or null"); !s.Read(key, &name, expected) || name == "" {
		s.Fail(key, expected)
	}
	return name, revision, s.Err()
}

// tokenizer reads the base's; an adapter of a base without one, or trained with another, brings its own.
func (f *folders) tokenizer() (*tokenizer.Tokenizer, error) {
	for _, dir := range f.adapters {
		if !isFile(dir, "tokenizer.json") {
			continue
		}
		tok, err := tokenizer.Load(dir)
		if err == nil && tok.VocabSize() > f.config.VocabSize {
			err = fmt.Errorf("%s: the tokenizer has ids up to %d, the model embeddings for %d tokens", dir, tok.VocabSize()-1, f.config.VocabSize)
		}
		return tok, err
	}
	return model.LoadTokenizer(f.base)
}
