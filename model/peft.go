package model

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"revela/internal/atomicfile"
	"revela/model/checkpoint"
	"revela/torch"
)

// The files of a PEFT folder, and the names in them.
const (
	peftConfig  = "adapter_config.json"
	peftWeights = "adapter_model.safetensors"
	peftPrefix  = "base_model.model."
	loraA       = "lora_A.weight"
	loraB       = "lora_B.weight"
)

// peftKey is a tensor's name in PEFT's file: of a language model the layers lie below "model.", of a bare one not.
func peftKey(b Network, layer, part string) string {
	if _, ok := b.(*LanguageModel); ok {
		layer = "model." + layer
	}
	return peftPrefix + layer + "." + part
}

// LoadAdapter reads the PEFT folder dir into b and returns its settings. The parameters learn if learn is set; they are
// kept in fp32 either way. Missing, superfluous and misshapen tensors and whatever of
// PEFT is not supported are errors, after which b is as it was.
func LoadAdapter(b Network, dir string, learn bool) (LoRAOptions, error) {
	o, err := readAdapterConfig(b, filepath.Join(dir, peftConfig))
	if err != nil {
		return LoRAOptions{}, fmt.Errorf("load adapter: %w", err)
	}
	layers, err := targeted(b, o.Targets)
	if err != nil {
		return LoRAOptions{}, fmt.Errorf("load adapter: %s: target_modules: %w", filepath.Join(dir, peftConfig), err)
	}
	file, err := openAdapter(filepath.Join(dir, peftWeights))
	if err != nil {
		return LoRAOptions{}, fmt.Errorf("load adapter: %w", err)
	}
	defer file.weights.Close()
	if err := attach(b, layers, o, file.take); err != nil {
		return LoRAOptions{}, fmt.Errorf("load adapter: %w", err)
	}
	if err := file.leftOver(); err != nil {
		dropLoRA(layers)
		return LoRAOptions{}, fmt.Errorf("load adapter: %w", err)
	}
	if !learn {
		err = freezeLoRA(layers)
	}
	return o, err
}

func dropLoRA(layers []namedLinear) {
	for _, l := range layers {
		l.LoRA.A.Free()
		l.LoRA.B.Free()
		l.LoRA = nil
	}
}

func freezeLoRA(layers []namedLinear) error {
	var errs []error
	for _, l := range layers {
		for _, p := range []*Param{l.LoRA.A, l.LoRA.B} {
			p.wide = true
			errs = append(errs, p.Learn(false))
		}
	}
	return errors.Join(errs...)
}

// adapterFile is an open adapter_model.safetensors; names are kept with and without "model.", since adapters of bare
// networks and of those with a head differ in that alone.
type adapterFile struct {
	path    string
	weights *checkpoint.Weights
	names   map[string]string // the file's, by layer and part
	used    map[string]bool
}

func openAdapter(path string) (*adapterFile, error) {
	w, err := checkpoint.ReadSafetensors(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is missing (adapters of other formats, such as adapter_model.bin, are not read)", path)
	}
	if err != nil {
		return nil, err
	}
	f := &adapterFile{path, w, map[string]string{}, map[string]bool{}}
	for _, name := range w.Names() {
		f.names[bareKey(name)] = name
	}
	return f, nil
}

func bareKey(name string) string {
	return strings.TrimPrefix(strings.TrimPrefix(name, peftPrefix), "model.")
}

// take copies a tensor of the file.
func (f *adapterFile) take(s *torch.Scope, key string, shape []int64) torch.Tensor {
	name, ok := f.names[bareKey(key)]
	if !ok {
		s.Fail(fmt.Errorf("%s: tensor %s is missing; shape %v expected", f.path, key, shape))
		return torch.Tensor{}
	}
	f.used[name] = true
	t, _, err := f.weights.Tensor(name)
	if err == nil {
		err = t.CheckFinite()
	}
	dtype, known := fileTypes[t.DType]
	switch {
	case err != nil:
		s.Fail(err)
	case !slices.Equal(t.Shape, shape):
		s.Fail(fmt.Errorf("%s: tensor %s has shape %v; %v expected", f.path, name, t.Shape, shape))
	case !known:
		s.Fail(fmt.Errorf("%s: tensor %s has type %s; F32, F16, BF16 or F64 expected", f.path, name, t.DType))
	default:
		return s.FromBytes(t.Data, dtype, shape...)
	}
	return torch.Tensor{}
}

// leftOver reports tensors that no layer took. BERT's pooler, which no retriever uses, may have some.
func (f *adapterFile) leftOver() error {
	for _, name := range f.weights.Names() {
		if !f.used[name] && !ofPooler(bareKey(name)) {
			return fmt.Errorf("%s: tensor %s belongs to no layer that %s targets", f.path, name, peftConfig)
		}
	}
	return nil
}

func ofPooler(name string) bool { return strings.HasPrefix(name, "pooler.") }

// SaveAdapter writes the LoRA of b as a PEFT folder that appears complete or not at all. base is the checkpoint's name
// that PEFT will load the base weights from; o are the options that the LoRA was made with.
func SaveAdapter(b Network, dir, base string, o LoRAOptions) error {
	return SaveScaledAdapter(b, dir, base, o, 1)
}

// SaveScaledAdapter is SaveAdapter with lora_B multiplied by factor: 1 − a gives the average of start and trained
// weights with share a of the start (see [Average]), if the start had no adapter.
func SaveScaledAdapter(b Network, dir, base string, o LoRAOptions, factor float64) error {
	tensors, err := adapterTensors(b, o, factor)
	if err != nil {
		return fmt.Errorf("save adapter: %w", err)
	}
	config, err := settingsJSON(adapterConfig(b, base, o))
	if err != nil {
		return fmt.Errorf("save adapter: %w", err)
	}
	return atomicfile.Dir(dir, func(tmp string) error {
		if err := checkpoint.WriteSafetensors(filepath.Join(tmp, peftWeights), tensors, nil); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(tmp, peftConfig), config, 0o644)
	})
}

func adapterTensors(b Network, o LoRAOptions, factor float64) ([]checkpoint.Tensor, error) {
	s := torch.NewScope()
	defer s.Close()
	var tensors []checkpoint.Tensor
	take := func(name string, p *Param, factor float64) {
		value := s.Scale(s.To(s.Detach(p.Value), torch.Float32), factor)
		if s.Err() == nil {
			data, err := value.Bytes()
			s.Fail(err)
			tensors = append(tensors, checkpoint.Tensor{Name: name, DType: checkpoint.F32, Shape: p.Shape, Data: data})
		}
	}
	for _, l := range orderedLinears(b) {
		if l.LoRA == nil {
			continue
		}
		if rank := l.LoRA.A.Shape[0]; rank != int64(o.Rank) || l.LoRA.Scale != o.Alpha/float64(o.Rank) {
			return nil, fmt.Errorf("layer %s has rank %d and scale %g; rank %d and alpha %g given", l.name, rank, l.LoRA.Scale, o.Rank, o.Alpha)
		}
		take(peftKey(b, l.name, loraA), l.LoRA.A, 1)
		take(peftKey(b, l.name, loraB), l.LoRA.B, factor)
	}
	if len(tensors) == 0 {
		s.Fail(errors.New("no layer of the network has LoRA"))
	}
	return tensors, s.Err()
}
