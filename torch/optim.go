package torch

// #include "shim.h"
import "C"

import (
	"runtime"

	"revela/torch/profile"
)

// AdamW are the settings of one step of the optimiser (Loshchilov & Hutter 2019, arXiv 1711.05101).
type AdamW struct {
	LearningRate, Beta1, Beta2, Epsilon, WeightDecay float64
}

// Step updates params in place with one fused call. m and v are the first and second moments in the parameters' shapes,
// steps are fp32 tensors of one element that count the steps taken; all are updated as well.
func (a AdamW) Step(params, grads, m, v, steps []Tensor) error {
	if len(params) == 0 {
		return nil
	}
	return locked("adamw", func() *C.char {
		return C.revela_fused_adamw(pointers(params), pointers(grads), pointers(m), pointers(v), pointers(steps),
			C.int(len(params)), C.double(a.LearningRate), C.double(a.Beta1), C.double(a.Beta2), C.double(a.WeightDecay),
			C.double(a.Epsilon))
	})
}

// GradNorm returns the 2-norm over all elements of all tensors.
func GradNorm(grads []Tensor) (norm float64, err error) {
	var n C.double
	err = locked("gradient norm", func() *C.char { return C.revela_grad_norm(pointers(grads), C.int(len(grads)), &n) })
	return float64(n), err
}

// ScaleAll multiplies every tensor by factor, in place.
func ScaleAll(ts []Tensor, factor float64) error {
	return locked("scale", func() *C.char { return C.revela_foreach_mul(pointers(ts), C.int(len(ts)), C.double(factor)) })
}

// AddAll adds alpha · others to ts, in place, tensor by tensor.
func AddAll(ts, others []Tensor, alpha float64) error {
	return locked("add", func() *C.char {
		return C.revela_foreach_add(pointers(ts), pointers(others), C.int(len(ts)), C.double(alpha))
	})
}

// CopyAll copies others to ts, tensor by tensor of one shape; types may differ.
func CopyAll(ts, others []Tensor) error {
	return locked("copy", func() *C.char { return C.revela_foreach_copy(pointers(ts), pointers(others), C.int(len(ts))) })
}

// Version counts the changes of t's values in place.
func (t Tensor) Version() int64 { return int64(C.revela_version(t.c())) }

func locked(op string, call func() *C.char) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	enter()
	defer profile.Begin(op)()
	return failure(op, call())
}
