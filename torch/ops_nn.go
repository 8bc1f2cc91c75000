package torch

// #include "shim.h"
import "C"

import (
	"unsafe"

	lib "github.com/sugarme/gotch/libtch"
)

// Embedding picks rows of weight [vocabulary, hidden] by int64 ids of any shape.
func (s *Scope) Embedding(weight, ids Tensor) Tensor {
	return s.gotch("embedding", []Tensor{weight, ids}, func(out *lib.Ctensor) { lib.AtgEmbedding(out, weight.p, ids.p, -1, 0, 0) })
}

// LayerNorm normalises the last dimension of x [..., hidden] with weight and bias [hidden].
func (s *Scope) LayerNorm(x, weight, bias Tensor, eps float64) Tensor {
	width := []int64{s.Size(x, -1)}
	return s.gotch("layer_norm", []Tensor{x, weight, bias}, func(out *lib.Ctensor) { lib.AtgLayerNorm(out, x.p, width, 1, weight.p, bias.p, eps, 0) })
}

// RMSNorm is weight · x / √(mean x² + eps) over the last dimension; the sum is fp32 (transformers' LlamaRMSNorm).
func (s *Scope) RMSNorm(x, weight Tensor, eps float64) Tensor {
	return s.shim("rms_norm", []Tensor{x, weight}, func(out *unsafe.Pointer) *C.char {
		return C.revela_rms_norm(x.c(), weight.c(), C.double(eps), out)
	})
}

// Rope turns x [tokens, heads, headDim] by the angles whose cosines and sines are [tokens, headDim/2], in the half-split
// layout of transformers' apply_rotary_pos_emb.
func (s *Scope) Rope(x, cos, sin Tensor) Tensor {
	return s.shim("rope", []Tensor{x, cos, sin}, func(out *unsafe.Pointer) *C.char { return C.revela_rope(x.c(), cos.c(), sin.c(), out) })
}

// Softmax is the softmax over dim, in x's own type.
func (s *Scope) Softmax(x Tensor, dim int64) Tensor {
	dtype := s.DType(x)
	return s.gotch("softmax", []Tensor{x}, func(out *lib.Ctensor) { lib.AtgSoftmax(out, x.p, dim, int32(dtype)) })
}

// CrossEntropy is the mean of −log softmax(logits [rows, classes])[label] over rows.
func (s *Scope) CrossEntropy(logits, labels Tensor) Tensor {
	return s.gotch("cross_entropy", []Tensor{logits, labels}, func(out *lib.Ctensor) {
		lib.AtgCrossEntropyLoss(out, logits.p, labels.p, nil, 1, -100, 0)
	})
}

// LinearCrossEntropy is the mean cross entropy of logits hidden [tokens, width] · weightᵀ [vocabulary, width] against
// int64 labels [tokens], as one fp32 number. Logits live chunk rows at a time; gradients are computed on the way.
func (s *Scope) LinearCrossEntropy(hidden, weight, labels Tensor, chunk int64) Tensor {
	return s.shim("linear_cross_entropy", []Tensor{hidden, weight, labels}, func(out *unsafe.Pointer) *C.char {
		return C.revela_linear_cross_entropy(hidden.c(), weight.c(), labels.c(), C.int64_t(chunk), out)
	})
}
