package model

import (
	"fmt"
	"slices"
	"strings"

	"revela/model/checkpoint"
	"revela/torch"
)

// Options say how a checkpoint becomes a network.
type Options struct {
	Compute torch.DType            // type of the products: Float32 or BFloat16
	Learns  func(name string) bool // parameters that learn in full; nil for none
}

// loader takes parameters out of a checkpoint and notes which of them were asked for.
type loader struct {
	weights *checkpoint.Weights
	prefix  string // of the names in the file, such as "model."
	options Options
	scope   *torch.Scope
	used    map[string]bool
	dir     string
	draw    bool // no checkpoint: draw the parameters at random
}

// randomLoader draws parameters instead of reading them: normal with deviation 0.02 as transformers' initialisation, ones
// for norms. For benchmarks.
func randomLoader(o Options) *loader {
	return &loader{options: o, scope: torch.NewScope(), used: map[string]bool{}, draw: true}
}

// newLoader opens the weights of a folder. The prefix (one of prefixes, or none) is told from the presence of probe.
func newLoader(dir, probe string, prefixes []string, o Options) (*loader, error) {
	w, err := checkpoint.Open(dir)
	if err != nil {
		return nil, err
	}
	l := &loader{weights: w, options: o, scope: torch.NewScope(), used: map[string]bool{}, dir: dir}
	for _, prefix := range append(prefixes, "") {
		if _, ok := w.Info(prefix + probe); ok {
			l.prefix = prefix
			return l, nil
		}
	}
	return nil, fmt.Errorf("%s: tensor %s is missing (looked for the prefixes %q as well)", dir, probe, prefixes)
}

// has reports whether the checkpoint holds a tensor of this name, prefix and all.
func (l *loader) has(name string) bool {
	if l.draw {
		return false
	}
	_, ok := l.weights.Info(name)
	return ok
}

// param loads prefix+name, which must have the given shape.
func (l *loader) param(name string, shape ...int64) *Param { return l.exact(l.prefix+name, shape...) }

// exact loads the tensor of that very name.
func (l *loader) exact(name string, shape ...int64) *Param {
	if l.scope.Err() != nil {
		return nil
	}
	if l.draw {
		return l.random(name, shape)
	}
	l.used[name] = true
	t, ok, err := l.weights.Tensor(name)
	switch {
	case err != nil:
		l.scope.Fail(err)
	case !ok:
		l.scope.Fail(fmt.Errorf("%s: tensor %s is missing; shape %v expected", l.dir, name, shape))
	case !slices.Equal(t.Shape, shape):
		l.scope.Fail(fmt.Errorf("%s: tensor %s has shape %v; %v expected", t.File, name, t.Shape, shape))
	}
	if l.scope.Err() != nil {
		return nil
	}
	p := &Param{Name: name, Shape: shape, Value: l.value(t, l.learns(name))}
	return l.ready(p)
}

func (l *loader) learns(name string) bool { return l.options.Learns != nil && l.options.Learns(name) }

// ready makes a loaded parameter learn where the options say so.
func (l *loader) ready(p *Param) *Param {
	p.compute = l.options.Compute
	if l.learns(p.Name) && l.scope.Err() == nil {
		l.scope.Fail(p.Learn(true))
	}
	return p
}

func (l *loader) random(name string, shape []int64) *Param {
	s := torch.NewScope()
	defer s.Close()
	x := s.Scale(s.Randn(torch.Float32, shape...), 0.02)
	if strings.HasSuffix(name, "norm.weight") {
		x = s.Shift(s.Scale(x, 0), 1)
	}
	if !l.learns(name) {
		x = s.To(x, l.options.Compute)
	}
	l.scope.Fail(s.Err())
	return l.ready(&Param{Name: name, Shape: shape, Value: s.Keep(x)})
}

var fileTypes = map[checkpoint.DType]torch.DType{
	checkpoint.F64: torch.Float64, checkpoint.F32: torch.Float32, checkpoint.F16: torch.Float16, checkpoint.BF16: torch.BFloat16,
}

// value makes a tensor of file data. Frozen weights of the computing type stay in the mapped file; everything else is
// converted once. The optimiser writes into weights that learn, so these are copies of their own, in fp32.
func (l *loader) value(t checkpoint.Tensor, learns bool) torch.Tensor {
	dtype, ok := fileTypes[t.DType]
	if !ok {
		l.scope.Fail(fmt.Errorf("%s: tensor %s has type %s; F32, F16, BF16 or F64 expected", t.File, t.Name, t.DType))
		return torch.Tensor{}
	}
	mapped := strings.HasSuffix(t.File, ".safetensors") // GGUF data may lie in Go's memory
	want := l.options.Compute
	if learns {
		want = torch.Float32
	}
	s := torch.NewScope()
	defer s.Close()
	var value torch.Tensor
	if mapped {
		value = s.FromMemory(t.Data, dtype, t.Shape...)
	} else {
		value = s.FromBytes(t.Data, dtype, t.Shape...)
	}
	if dtype != want {
		value = s.To(value, want)
	} else if learns && mapped {
		value = s.Clone(value)
	}
	l.scope.Fail(s.Err())
	return s.Keep(value)
}

// finish reports tensors of the checkpoint that nobody asked for, except those that skip names.
func (l *loader) finish(skip func(name string) bool) error {
	defer l.scope.Close()
	if err := l.scope.Err(); err != nil || l.draw {
		return err
	}
	for _, name := range l.weights.Names() {
		if !l.used[name] && !skip(name) {
			return fmt.Errorf("%s: tensor %s is not part of the network that config.json describes", l.dir, name)
		}
	}
	return nil
}

// unneeded names what a checkpoint may hold beside the network.
func unneeded(name string) bool {
	for _, part := range []string{"pooler.", "cls.", "lm_head."} {
		if strings.HasPrefix(name, part) || strings.Contains(name, "."+part) {
			return true
		}
	}
	return strings.HasSuffix(name, "position_ids") || strings.HasSuffix(name, "rotary_emb.inv_freq")
}
