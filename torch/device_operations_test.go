package torch

import "slices"

// operations draw their inputs and return them with a result.
var operations = map[string]func(s *Scope, dtype DType) (in []Tensor, out Tensor){
	"rms_norm": func(s *Scope, dtype DType) ([]Tensor, Tensor) {
		in := leaves(s, dtype, []int64{50, 64}, []int64{64})
		return in, s.RMSNorm(in[0], in[1], 1e-5)
	},
	"rms_norm of an odd width": func(s *Scope, dtype DType) ([]Tensor, Tensor) {
		in := leaves(s, dtype, []int64{50, 37}, []int64{37})
		return in, s.RMSNorm(in[0], in[1], 1e-5)
	},
	"rope of an odd half": func(s *Scope, dtype DType) ([]Tensor, Tensor) {
		in := leaves(s, dtype, []int64{9, 4, 6})
		return in, s.Rope(in[0], s.Uniform(Float32, -1, 1, 9, 3), s.Uniform(Float32, -1, 1, 9, 3))
	},
	"rope": func(s *Scope, dtype DType) ([]Tensor, Tensor) {
		in := leaves(s, dtype, []int64{9, 4, 16})
		return in, s.Rope(in[0], s.Uniform(Float32, -1, 1, 9, 8), s.Uniform(Float32, -1, 1, 9, 8))
	},
	"project": func(s *Scope, dtype DType) ([]Tensor, Tensor) {
		in := leaves(s, dtype, append([][]int64{{20, 24}, {20, 32}}, projected(32, 24)...)...)
		return in, s.Project(in[0], in[1], projectionOf(in[2:]))
	},
	"project through dropout": func(s *Scope, dtype DType) ([]Tensor, Tensor) {
		in := leaves(s, dtype, append([][]int64{{20, 24}, {20, 32}}, projected(32, 24)...)...)
		return in, s.Project(in[0], in[1], droppedOf(in[2:]))
	},
	"norm_project": func(s *Scope, dtype DType) ([]Tensor, Tensor) {
		in := leaves(s, dtype, append([][]int64{{20, 32}, {32}}, slices.Concat(projected(32, 24), projected(32, 24), projected(32, 24))...)...)
		a, b, c := s.NormProject(in[0], in[1], 1e-5, 5, 0, projectionOf(in[2:]), droppedOf(in[6:]), projectionOf(in[10:]))
		return in, s.Cat(0, a, s.Mul(b, c))
	},
	"gated_mlp again": func(s *Scope, dtype DType) ([]Tensor, Tensor) {
		in := leaves(s, dtype, append([][]int64{{20, 32}, {32}}, slices.Concat(projected(32, 33), projected(32, 33), projected(33, 32))...)...)
		return in, s.GatedMLPAgain(in[0], in[1], 1e-5, projectionOf(in[2:]), droppedOf(in[6:]), droppedOf(in[10:]), 7)
	},
	"gated_mlp": func(s *Scope, dtype DType) ([]Tensor, Tensor) {
		in := leaves(s, dtype, []int64{20, 32}, []int64{32}, []int64{2, 32}, []int64{48, 2}, []int64{2, 48}, []int64{32, 2})
		gate := Projection{Weight: s.Randn(dtype, 48, 32), A: in[2], B: in[3], Scale: 0.5}
		down := Projection{Weight: s.Randn(dtype, 32, 48), A: in[4], B: in[5], Scale: 0.5}
		return in, s.GatedMLP(in[0], in[1], 1e-5, gate, Projection{Weight: s.Randn(dtype, 48, 32)}, down)
	},
	"linear_cross_entropy": func(s *Scope, dtype DType) ([]Tensor, Tensor) {
		in := leaves(s, dtype, []int64{7, 16}, []int64{40, 16})
		return in, s.LinearCrossEntropy(in[0], in[1], From(s, []int64{0, 3, 10, 5, 39, 2, 9}, 7), 3)
	},
	"linear_cross_entropy of an odd vocabulary": func(s *Scope, dtype DType) ([]Tensor, Tensor) {
		in := leaves(s, dtype, []int64{7, 16}, []int64{1001, 16})
		return in, s.LinearCrossEntropy(in[0], in[1], From(s, []int64{0, 3, 1000, 5, 39, 2, 9}, 7), 3)
	},
	"attention":        func(s *Scope, dtype DType) ([]Tensor, Tensor) { return attended(s, dtype, Term{}) },
	"normed attention": func(s *Scope, dtype DType) ([]Tensor, Tensor) { return attended(s, dtype, Term{ValueNorm: true}) },
	"self-attention":   func(s *Scope, dtype DType) ([]Tensor, Tensor) { return selfAttended(s, dtype, Term{}) },
	"causal attention": func(s *Scope, dtype DType) ([]Tensor, Tensor) { return selfAttended(s, dtype, Term{Causal: true}) },
	"window of attention": func(s *Scope, dtype DType) ([]Tensor, Tensor) {
		return selfAttended(s, dtype, Term{Causal: true, Window: 20})
	},
	"dense attention": func(s *Scope, dtype DType) ([]Tensor, Tensor) { // more than one slice by either way
		in := append(leaves(s, dtype, []int64{4000, 4, 8}, []int64{4000, 2, 8}, []int64{4000, 2, 8}), s.Leaf(s.Uniform(Float32, 0, 1, 1600)))
		var pairs []Pair
		for i := range int64(1600) {
			pairs = append(pairs, Pair{i / 40 * 100, 100, i % 40 * 100, 100})
		}
		return in, s.Attention(in[0], in[1], in[2], 0.35, Term{Pairs: pairs, Weights: in[3], ValueNorm: true})
	},
	"lockstep attention": func(s *Scope, dtype DType) ([]Tensor, Tensor) {
		return attended(s, dtype, Term{ValueNorm: true}, Term{Pairs: []Pair{{0, 150, 0, 150}, {150, 37, 150, 37}}, Causal: true})
	},
}

func leaves(s *Scope, dtype DType, shapes ...[]int64) []Tensor {
	var in []Tensor
	for _, shape := range shapes {
		in = append(in, s.Leaf(s.Randn(dtype, shape...)))
	}
	return in
}

// attended has weighted pairs in its last term.
func attended(s *Scope, dtype DType, term Term, before ...Term) ([]Tensor, Tensor) {
	q, k, v, w, pairs := attentionCase(s, dtype)
	in := []Tensor{s.Leaf(q), s.Leaf(k), s.Leaf(v), s.Leaf(w)}
	term.Pairs, term.Weights = pairs, in[3]
	return in, s.Attention(in[0], in[1], in[2], 0.25, append(before, term)...)
}

func selfAttended(s *Scope, dtype DType, term Term) ([]Tensor, Tensor) {
	in := leaves(s, dtype, []int64{300, 6, 16}, []int64{300, 2, 16}, []int64{300, 2, 16})
	term.Pairs = []Pair{{0, 150, 0, 150}, {150, 37, 150, 37}, {187, 1, 187, 1}, {188, 112, 188, 112}}
	return in, s.Attention(in[0], in[1], in[2], 0.25, term)
}
