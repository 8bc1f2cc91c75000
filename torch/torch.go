// Package torch is what revela needs of libtorch: a thin tensor handle, scopes that free temporaries at once, and
// operations on them, over gotch's C layer and a small C++ shim for what gotch lacks.
//
// A computation runs in a [Scope]. Operations are methods of the scope; their results belong to it and are freed
// when it closes. The scope keeps the first error: after it, operations do nothing and return the zero Tensor, so
// that code reads like mathematics and checks once, at the end:
//
//	s := torch.NewScope()
//	defer s.Close()
//	y := s.Softmax(s.MatMul(q, s.Transpose(k, 0, 1)), -1)
//	return s.Floats(y) // reports the error of whichever operation failed
//
// C memory is not seen by Go's collector: nothing here waits for a finalizer.
package torch

// #cgo CXXFLAGS: -std=c++17 -O3 -fopenmp
// #cgo LDFLAGS: -ltorch_cpu -lc10 -lstdc++ -ldl -lgomp
// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"

	lib "github.com/sugarme/gotch/libtch"

	_ "revela/internal/libtorch" // fails first, and clearly, where libtorch is not set up
)

// Tensor is a handle on a tensor of libtorch: one pointer, no name, no finalizer. The zero Tensor stands for "none".
type Tensor struct{ p lib.Ctensor }

// Defined reports whether t is a tensor at all.
func (t Tensor) Defined() bool { return t.p != nil }

// Free gives the tensor's handle back; the zero Tensor is ignored. Tensors of a scope are freed by the scope.
func (t Tensor) Free() {
	if t.p != nil {
		lib.AtFree(t.p)
	}
}

func (t Tensor) c() unsafe.Pointer { return unsafe.Pointer(t.p) }

// out is where the shim writes a new tensor.
func (t *Tensor) out() *unsafe.Pointer { return (*unsafe.Pointer)(unsafe.Pointer(&t.p)) }

// pointers passes a slice of handles as void**: a Tensor is exactly one C pointer.
func pointers(ts []Tensor) *unsafe.Pointer {
	if len(ts) == 0 {
		return nil
	}
	return (*unsafe.Pointer)(unsafe.Pointer(&ts[0]))
}

func cints(xs []int64) *C.int64_t {
	if len(xs) == 0 {
		return nil
	}
	return (*C.int64_t)(unsafe.Pointer(&xs[0]))
}

func cbool(b bool) C.int {
	if b {
		return 1
	}
	return 0
}

// failure turns a message of the shim into an error that names the operation.
func failure(op string, message *C.char) error {
	if message == nil {
		return nil
	}
	defer C.free(unsafe.Pointer(message))
	return opError(op, C.GoString(message))
}

// opError keeps the first line of libtorch's text: the rest is its C++ stack.
func opError(op, text string) error {
	line, _, _ := strings.Cut(text, "\n")
	return fmt.Errorf("%s: %w", op, errors.New(strings.TrimSpace(line)))
}
