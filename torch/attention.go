package torch

// #include "shim.h"
import "C"

import (
	"fmt"
	"unsafe"
)

// Pair lets the query rows [Query, Query+QueryLen) read the keys [Key, Key+KeyLen) of packed tensors.
type Pair struct{ Query, QueryLen, Key, KeyLen int64 }

// Term is a sum over pairs, with what they have in common: what a row may read and how a pair's output is scaled.
type Term struct {
	Pairs     []Pair
	Weights   Tensor // [pairs], or none: 1 each
	Causal    bool   // row r of a pair reads its keys 0…r
	Window    int64  // > 0: row r reads no key before r−Window+1
	ValueNorm bool   // divide by the attention-weighted norm of the values + 1e-6 (Revela's V-normalisation)
}

// Attention returns Σ over the terms' pairs of weight · softmax(q kᵀ · scale) v for packed sequences without padding:
// q [queryTokens, heads, headDim], k and v [keyTokens, kvHeads, headDim]; the result has q's shape. Pairs with the same
// Query have the same QueryLen, likewise keys. Query rows of no pair give 0. scale is usually 1/√headDim.
func (s *Scope) Attention(q, k, v Tensor, scale float64, terms ...Term) Tensor {
	return s.attention(q, k, v, scale, terms, false)
}

// CompositeAttention is Attention in libtorch's own operations, pair by pair: slow, the reference of the fused kernels.
func (s *Scope) CompositeAttention(q, k, v Tensor, scale float64, terms ...Term) Tensor {
	return s.attention(q, k, v, scale, terms, true)
}

func (s *Scope) attention(q, k, v Tensor, scale float64, terms []Term, composite bool) Tensor {
	pairs, weights, numbers := attentionTables(terms)
	if len(pairs) == 0 && s.err == nil {
		s.Fail(fmt.Errorf("attention: no pairs"))
	}
	return s.shim("attention", []Tensor{q, k, v}, func(out *unsafe.Pointer) *C.char {
		return C.revela_attention(q.c(), k.c(), v.c(), (*C.int64_t)(unsafe.SliceData(pairs)), C.int64_t(len(pairs)/5),
			unsafe.SliceData(weights), (*C.int64_t)(unsafe.SliceData(numbers)), C.int(len(terms)), C.double(scale),
			cbool(composite), out)
	})
}

// attentionTables writes terms as the shim reads them: five numbers a pair, a tensor and four numbers a term.
func attentionTables(terms []Term) (pairs []int64, weights []unsafe.Pointer, numbers []int64) {
	for i, t := range terms {
		for _, p := range t.Pairs {
			pairs = append(pairs, p.Query, p.QueryLen, p.Key, p.KeyLen, int64(i))
		}
		weights = append(weights, t.Weights.c())
		numbers = append(numbers, bit(t.Causal), bit(t.ValueNorm), bit(t.Weights.Defined()), t.Window)
	}
	return pairs, weights, numbers
}

func bit(on bool) int64 {
	if on {
		return 1
	}
	return 0
}
