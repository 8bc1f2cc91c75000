package torch

// #include "shim.h"
import "C"

import "unsafe"

// Projection is x Wᵀ + bias + scale · (dropout(x) Aᵀ) Bᵀ: a linear layer [out, in] with, where A [rank, in] and B [out, rank]
// are there, LoRA beside it. Bias [out] may be none. Weight may be packed; then Back is Wᵀ, packed, which backward multiplies by.
// A and B may be fp32 where x is not: they are multiplied in x's type, as CastA and CastB where these are there.
type Projection struct {
	Weight, Bias, A, B, Back Tensor
	CastA, CastB             Tensor
	Scale                    float64
	Dropout                  float64 // probability that LoRA does not see an element of x; its mask follows from [Seed]
}

// projections lists projections as the shim reads them: seven handles and two numbers each.
func projections(list ...Projection) (parts *unsafe.Pointer, numbers *C.double) {
	var tensors []Tensor
	var factors []C.double
	for _, p := range list {
		tensors = append(tensors, p.Weight, p.Bias, p.A, p.B, p.Back, p.CastA, p.CastB)
		factors = append(factors, C.double(p.Scale), C.double(p.Dropout))
	}
	return pointers(tensors), &factors[0]
}

// Activation is a function of the elements of a projection.
type Activation int

// What [Scope.Activated] and [Scope.Activate] can apply: GELU by the Gaussian error function or by its tanh approximation.
const (
	NoActivation Activation = iota
	GELU
	GELUTanh
	ReLU
)

// NormProject maps RMSNorm(x) [tokens, width] by the three projections in one operation: first, of the rows from `from` on
// alone, second and third (a decoder layer's queries, keys and values). The results are [tokens, heads, headDim], or [tokens, width] where
// headDim is 0. Backward computes the norm again.
func (s *Scope) NormProject(x, norm Tensor, eps float64, from, headDim int64, first, second, third Projection) (a, b, c Tensor) {
	in := []Tensor{x, norm, first.Weight, second.Weight, third.Weight}
	var out [3]Tensor
	s.shimOf("norm_project_linear", in, []*Tensor{&out[0], &out[1], &out[2]}, func() *C.char {
		parts, numbers := projections(first, second, third)
		return C.revela_norm_project(x.c(), norm.c(), parts, numbers, C.double(eps), C.int64_t(from), C.int64_t(headDim), out[0].out())
	})
	return out[0], out[1], out[2]
}

// GatedMLP is x + down(silu(gate(n)) · up(n)) with n = RMSNorm(x), for x [tokens, width], in one operation (the feed-forward
// half of a layer, transformers' LlamaMLP with norm and residual). Backward computes n and the product again.
func (s *Scope) GatedMLP(x, norm Tensor, eps float64, gate, up, down Projection) Tensor {
	return s.gatedMLP(x, norm, eps, gate, up, down, 0)
}

// GatedMLPAgain is GatedMLP where the result was looked at before: its values are not computed, and backward
// works on so many rows at a time, which takes less memory and one product less.
func (s *Scope) GatedMLPAgain(x, norm Tensor, eps float64, gate, up, down Projection, rows int64) Tensor {
	return s.gatedMLP(x, norm, eps, gate, up, down, rows)
}

func (s *Scope) gatedMLP(x, norm Tensor, eps float64, gate, up, down Projection, again int64) Tensor {
	in := []Tensor{x, norm, gate.Weight, up.Weight, down.Weight}
	return s.shim("gated_mlp_linear", in, func(out *unsafe.Pointer) *C.char {
		parts, numbers := projections(gate, up, down)
		return C.revela_gated_mlp(x.c(), norm.c(), parts, numbers, C.double(eps), C.int64_t(again), out)
	})
}

// Project is the projection of x [tokens, in], or [tokens, heads, headDim] with in = heads · headDim, added to onto [tokens, out] unless that is none.
func (s *Scope) Project(onto, x Tensor, p Projection) Tensor {
	return s.project(onto, x, p, NoActivation)
}

// Activated is f of the projection of x [tokens, in], [tokens, out].
func (s *Scope) Activated(x Tensor, p Projection, f Activation) Tensor {
	return s.project(Tensor{}, x, p, f)
}

func (s *Scope) project(onto, x Tensor, p Projection, f Activation) Tensor {
	return s.shim("linear", []Tensor{x, p.Weight}, func(out *unsafe.Pointer) *C.char {
		parts, numbers := projections(p)
		return C.revela_project(onto.c(), x.c(), parts, numbers, C.int(f), out)
	})
}

// PackWeight lays a frozen weight [out, in], or its transpose, out as oneDNN's products read it, which otherwise every
// product does anew. The result serves as Projection.Weight or .Back and nothing else; it is none where the machine has
// no use for one.
func (s *Scope) PackWeight(w Tensor, transposed bool) Tensor {
	return s.pack(w, func(out *unsafe.Pointer) *C.char { return C.revela_pack(w.c(), cbool(transposed), out) })
}

// Panels is PackWeight for a weight that gradients pass: our own products read it, which LoRA's half joins. Sizes that are no
// multiples of 64 have none.
func (s *Scope) Panels(w Tensor, transposed bool) Tensor {
	return s.pack(w, func(out *unsafe.Pointer) *C.char { return C.revela_panels(w.c(), cbool(transposed), out) })
}

func (s *Scope) pack(w Tensor, call func(out *unsafe.Pointer) *C.char) Tensor {
	if s.err != nil || OnDevice() {
		return Tensor{}
	}
	return s.shim("pack", []Tensor{w}, call)
}

// Unpacked is a weight as ordinary operations read it, packed before or not.
func (s *Scope) Unpacked(w Tensor) Tensor {
	return s.shim("unpack", []Tensor{w}, func(out *unsafe.Pointer) *C.char { return C.revela_unpack(w.c(), out) })
}
