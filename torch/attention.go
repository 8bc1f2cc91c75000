package torch

// #include "shim.h"
import "C"

import (
	"fmt"
	"unsafe"
)

// Pair lets the query rows [Query, Query+QueryLen) read the keys [Key, Key+KeyLen) of packed tensors.
type Pair struct{ Query, QueryLen, Key, KeyLen int64 }

// AttentionOptions chooses what a row may read and how a pair's output is scaled.
type AttentionOptions struct {
	Scale     float64 // of the scores, usually 1/√headDim
	Causal    bool    // row r of a pair reads its keys 0…r
	Window    int64   // > 0: row r reads no key before r−Window+1
	ValueNorm bool    // divide by the attention-weighted norm of the values + 1e-6 (Revela's V-normalisation)
	Composite bool    // use libtorch's own operations: slow, on any device, the reference of the fused kernel
}

// Attention returns Σ over pairs of weight · softmax(q kᵀ · scale) v for packed sequences without padding:
// q [queryTokens, heads, headDim], k and v [keyTokens, kvHeads, headDim], weights [pairs] or none (1 each); the result has
// q's shape. Pairs with the same Query have the same QueryLen, likewise keys. Query rows of no pair give 0.
func (s *Scope) Attention(q, k, v, weights Tensor, pairs []Pair, o AttentionOptions) Tensor {
	if len(pairs) == 0 && s.err == nil {
		s.Fail(fmt.Errorf("attention: no pairs"))
	}
	return s.shim("attention", []Tensor{q, k, v}, func(out *unsafe.Pointer) *C.char {
		table := (*C.int64_t)(unsafe.Pointer(unsafe.SliceData(pairs))) // a Pair is four int64
		return C.revela_attention(q.c(), k.c(), v.c(), weights.c(), table, C.int64_t(len(pairs)), cbool(o.Causal),
			C.int64_t(o.Window), cbool(o.ValueNorm), C.double(o.Scale), cbool(o.Composite), out)
	})
}
