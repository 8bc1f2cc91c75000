package model

import (
	"fmt"

	"revela/torch"
)

// Param is a tensor of a network. One that learns is stored in fp32 and has an fp32 gradient sum; a frozen one is stored in
// the type that the network computes in.
type Param struct {
	Name   string       // as in the checkpoint
	Shape  []int64      // sizes
	Value  torch.Tensor // owned by the network; may be packed, see [Prepack]
	Grad   torch.Tensor // sum over the groups of a step, in fp32; none before the first backward
	Learns bool

	cast        torch.Tensor // Value in the type compute, as it was at castVersion; see castAll
	castVersion int64

	back      torch.Tensor // the transpose, packed, where Value is packed and gradients pass
	compute   torch.DType
	changed   bool // Value is no longer the checkpoint's, though frozen
	prepacked bool // Value is packed
	wide      bool // Value is fp32, though frozen (LoRA, which may be merged later)
}

// In returns the parameter in the type that the network computes in; gradients pass through to Value.
func (p *Param) In(s *torch.Scope) torch.Tensor {
	if p == nil {
		return torch.Tensor{}
	}
	if p.Learns || p.wide {
		return s.To(p.Value, p.compute)
	}
	return p.Value
}

// full returns the parameter in fp32, packed or not.
func (p *Param) full(s *torch.Scope) torch.Tensor {
	return s.To(s.Detach(s.Unpacked(p.Value)), torch.Float32)
}

// Learn makes the parameter learn from now on, or no longer.
func (p *Param) Learn(on bool) error {
	p.Learns = on
	return p.Value.RequireGrad(on)
}

// ZeroGrad drops the gradient sum.
func (p *Param) ZeroGrad() {
	p.Grad.Free()
	p.Grad = torch.Tensor{}
}

// Free gives the memory of value and gradient back.
func (p *Param) Free() {
	p.replace(torch.Tensor{}, torch.Tensor{}, false)
	p.ZeroGrad()
}

// replace gives the parameter another value, packed with its transpose or not, and frees the former one.
func (p *Param) replace(value, back torch.Tensor, prepacked bool) {
	p.Value.Free()
	p.back.Free()
	p.cast.Free()
	p.Value, p.back, p.cast, p.prepacked = value, back, torch.Tensor{}, prepacked
}

// castNow is the parameter in the type that the network computes in where [castAll] has made it and Value has not changed since,
// else none.
func (p *Param) castNow() torch.Tensor {
	if !p.cast.Defined() || p.castVersion != p.Value.Version() {
		return torch.Tensor{}
	}
	return p.cast
}

// castAll brings those of LoRA's factors that learn into the type that the network computes in: all in one operation where a device
// would be asked for each of hundreds in every step. Nothing is done for those that have not changed since.
func castAll(factors []*Param) error {
	if !torch.OnDevice() {
		return nil
	}
	s := torch.NewScope()
	defer s.Close()
	var stale []*Param
	var to, from []torch.Tensor
	for _, p := range factors {
		if !p.Learns || p.compute == torch.Float32 || p.castNow().Defined() {
			continue
		}
		if !p.cast.Defined() {
			p.castVersion = -1 // no version of Value
			p.cast = s.Keep(s.Zeros(p.compute, p.Shape...))
		}
		stale, to, from = append(stale, p), append(to, p.cast), append(from, p.Value)
	}
	if s.Err() != nil || len(stale) == 0 {
		return s.Err()
	}
	if err := torch.CopyAll(to, from); err != nil {
		return err
	}
	for _, p := range stale {
		p.castVersion = p.Value.Version()
	}
	return nil
}

// newParam makes a learning parameter of fp32 values.
func newParam(s *torch.Scope, name string, value torch.Tensor, compute torch.DType) *Param {
	p := &Param{Name: name, Shape: s.Shape(value), Value: s.Keep(s.Clone(s.To(value, torch.Float32))), compute: compute}
	if s.Err() == nil {
		s.Fail(p.Learn(true))
	}
	return p
}

// Learning returns the parameters that learn.
func Learning(params []*Param) []*Param {
	var learning []*Param
	for _, p := range params {
		if p != nil && p.Learns {
			learning = append(learning, p)
		}
	}
	return learning
}

// zeroGrads gives the parameters that learn and have no gradient one of zeros.
func zeroGrads(params []*Param) error {
	s := torch.NewScope()
	defer s.Close()
	for _, p := range Learning(params) {
		if !p.Grad.Defined() {
			p.Grad = s.Keep(s.Zeros(torch.Float32, p.Shape...))
		}
	}
	return s.Err()
}

// addGrads adds gradients to the sums of their parameters.
func addGrads(s *torch.Scope, params []*Param, grads []torch.Tensor) {
	var sums, terms []torch.Tensor
	for i, p := range params {
		switch g := grads[i]; {
		case !g.Defined():
		case p.Grad.Defined():
			sums, terms = append(sums, p.Grad), append(terms, g)
		default:
			p.Grad = s.Keep(s.Unshared(g))
		}
	}
	if s.Err() == nil && len(sums) > 0 {
		if err := torch.AddAll(sums, terms, 1); err != nil {
			s.Fail(fmt.Errorf("sum gradients: %w", err))
		}
	}
}
