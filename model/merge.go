package model

import (
	"fmt"
	"slices"
	"strings"

	"revela/model/checkpoint"
	"revela/torch"
)

// MergeAdapter adds the low-rank updates of b to the weights beside them, in fp32, and removes them. What the network
// then computes differs only by rounding.
func MergeAdapter(b Network) error {
	for _, l := range orderedLinears(b) {
		if l.LoRA == nil {
			continue
		}
		if err := change(l.Weight, func(s *torch.Scope) torch.Tensor { return merged(s, b, l.Linear) }); err != nil {
			return fmt.Errorf("merge adapter: layer %s: %w", l.name, err)
		}
		dropLoRA([]namedLinear{l})
	}
	return nil
}

// change gives a parameter new values. Frozen ones may lie in a mapped file, which must not be written to.
func change(p *Param, value func(s *torch.Scope) torch.Tensor) error {
	s := torch.NewScope()
	defer s.Close()
	torch.NoGrad(func() {
		if p.Learns {
			s.CopyTo(p.Value, value(s))
			return
		}
		copied := s.Keep(s.Clone(s.To(value(s), s.DType(p.Value))))
		if s.Err() == nil {
			p.replace(copied, torch.Tensor{}, false)
			p.changed = true
		}
	})
	return s.Err()
}

// merged returns W + scale · B A in fp32, W alone where there is no LoRA.
func merged(s *torch.Scope, b Network, l *Linear) torch.Tensor {
	w := exact(s, b, l.Weight)
	if l.LoRA == nil {
		return w
	}
	return s.Add(w, s.Scale(s.MatMul(l.LoRA.B.full(s), l.LoRA.A.full(s)), l.LoRA.Scale))
}

// exact returns a parameter in fp32. One that still is what the checkpoint says comes from there, so that a network which
// computes in bf16 loses nothing.
func exact(s *torch.Scope, b Network, p *Param) torch.Tensor {
	if p.Learns || p.changed || s.DType(p.Value) == torch.Float32 || b.source() == nil {
		return p.full(s)
	}
	return stored(s, b.source(), p.Name)
}

// stored returns a tensor of a checkpoint in fp32.
func stored(s *torch.Scope, w *checkpoint.Weights, name string) torch.Tensor {
	t, ok, err := w.Tensor(name)
	dtype, known := fileTypes[t.DType]
	switch {
	case err != nil:
		s.Fail(err)
	case !ok:
		s.Fail(fmt.Errorf("tensor %s is missing", name))
	case !known:
		s.Fail(fmt.Errorf("%s: tensor %s has type %s; F32, F16, BF16 or F64 expected", t.File, name, t.DType))
	default:
		return s.To(s.FromBytes(t.Data, dtype, t.Shape...), torch.Float32)
	}
	return torch.Tensor{}
}

// Average changes start's weights W₀ to a·W₀ + (1−a)·W, where W are trained's with LoRA merged, in fp32 (Wortsman et al.
// 2022, arXiv 2109.01903). start is the checkpoint that the training began with, loaded anew, an adapter that it began
// with merged; trained is not touched. With a = 0 start becomes what was trained.
func Average(trained, start Network, a float64) error {
	if a < 0 || a > 1 {
		return fmt.Errorf("average weights: share %g of the start found, 0 to 1 expected", a)
	}
	from, to := weights(trained), weights(start)
	same := func(x, y weight) bool { return x.name == y.name && slices.Equal(x.param.Shape, y.param.Shape) }
	if !slices.EqualFunc(from, to, same) {
		return fmt.Errorf("average weights: the two networks are not of the same shape")
	}
	for i, w := range to {
		if w.linear != nil && w.linear.LoRA != nil {
			return fmt.Errorf("average weights: %s of the start has LoRA beside it; merged weights expected", w.name)
		}
		err := change(w.param, func(s *torch.Scope) torch.Tensor {
			return s.Add(s.Scale(w.value(s, start), a), s.Scale(from[i].value(s, trained), 1-a))
		})
		if err != nil {
			return fmt.Errorf("average weights: %s: %w", w.name, err)
		}
	}
	return nil
}

// weight is a parameter that a merged network still has.
type weight struct {
	name   string // as transformers names it in the network's class
	param  *Param
	linear *Linear // that it is the weight of, or nil
}

// value returns the weight in fp32, LoRA added.
func (w weight) value(s *torch.Scope, b Network) torch.Tensor {
	if w.linear != nil {
		return merged(s, b, w.linear)
	}
	return exact(s, b, w.param)
}

// weights lists the parameters of a network but for LoRA's: of a bare one by bare names ("layers.0.…"), of a language
// model by those of its class ("model.layers.0.…", "lm_head.weight").
func weights(b Network) []weight {
	lm, hasHead := b.(*LanguageModel)
	inFile := filePrefix(b)
	prefix := ""
	if hasHead {
		prefix = "model."
	}
	linears, lora := map[*Param]*Linear{}, map[*Param]bool{}
	for _, l := range b.Linears() {
		linears[l.Weight] = l
	}
	for _, p := range LoRAParams(b) {
		lora[p] = true
	}
	var list []weight
	for _, p := range AllParams(b) {
		if p != nil && !lora[p] {
			list = append(list, weight{prefix + strings.TrimPrefix(p.Name, inFile), p, linears[p]})
		}
	}
	if hasHead {
		for _, p := range lm.untiedHead() {
			list = append(list, weight{"lm_head.weight", p, nil})
		}
	}
	return list
}

// filePrefix is what the checkpoint puts before the names of the bare network, such as "model." or nothing.
func filePrefix(b Backbone) string {
	for name, l := range b.Linears() {
		return strings.TrimSuffix(l.Weight.Name, name+".weight")
	}
	return ""
}
