package torch

// #include "shim.h"
import "C"

import (
	"runtime"
	"unsafe"

	"revela/torch/profile"
)

// NoGrad runs f without recording operations for backward, on one OS thread (grad mode is per thread), and restores
// the former mode.
func NoGrad(f func()) { withGrad(false, f) }

// WithGrad runs f with recording on, wherever it is called from.
func WithGrad(f func()) { withGrad(true, f) }

func withGrad(on bool, f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := C.revela_set_grad_enabled(cbool(on))
	defer C.revela_set_grad_enabled(before)
	f()
}

// RequireGrad makes t a leaf that backward computes a gradient for, or no longer does.
func (t Tensor) RequireGrad(on bool) error {
	return failure("requires_grad", C.revela_set_requires_grad(t.c(), cbool(on)))
}

// Leaf returns a tensor that shares x's memory, is cut off from its graph, and requires a gradient.
func (s *Scope) Leaf(x Tensor) Tensor {
	leaf := s.Detach(x)
	if s.err == nil { // Detach gave a tensor
		s.Fail(leaf.RequireGrad(true))
	}
	return leaf
}

// Grad returns the gradients of Σ outs·gouts with respect to ins, each in the shape of its input; an input that outs do not
// depend on gives the zero Tensor. gouts nil stands for ones (scalar outs). keep leaves the graph for another call.
func (s *Scope) Grad(outs, gouts, ins []Tensor, keep bool) []Tensor {
	grads := make([]Tensor, len(ins))
	if !s.ready("backward", outs) || !s.ready("backward", gouts) || !s.ready("backward", ins) || len(ins) == 0 || len(outs) == 0 {
		return grads
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	enter()
	defer profile.Begin("backward")()
	s.Fail(failure("backward", C.revela_grad(pointers(outs), pointers(gouts), C.int(len(outs)), pointers(ins),
		(*unsafe.Pointer)(unsafe.Pointer(&grads[0])), C.int(len(ins)), cbool(keep))))
	for _, g := range grads {
		s.Own(g)
	}
	return grads
}
