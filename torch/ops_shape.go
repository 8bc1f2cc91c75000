package torch

// #include "shim.h"
import "C"

import (
	"unsafe"

	lib "github.com/sugarme/gotch/libtch"
)

// Reshape returns x in another shape of as many elements; one size may be -1.
func (s *Scope) Reshape(x Tensor, shape ...int64) Tensor {
	return s.gotch("reshape", []Tensor{x}, func(out *lib.Ctensor) { lib.AtgReshape(out, x.p, shape, len(shape)) })
}

// Transpose exchanges two dimensions.
func (s *Scope) Transpose(x Tensor, a, b int64) Tensor {
	return s.gotch("transpose", []Tensor{x}, func(out *lib.Ctensor) { lib.AtgTranspose(out, x.p, a, b) })
}

// Narrow returns the length rows of dimension dim from start on, sharing x's memory.
func (s *Scope) Narrow(x Tensor, dim, start, length int64) Tensor {
	return s.gotch("narrow", []Tensor{x}, func(out *lib.Ctensor) { lib.AtgNarrow(out, x.p, dim, start, length) })
}

// Cat joins tensors along dim.
func (s *Scope) Cat(dim int64, xs ...Tensor) Tensor {
	if len(xs) == 1 {
		return xs[0]
	}
	return s.gotch("cat", xs, func(out *lib.Ctensor) {
		handles := make([]lib.Ctensor, len(xs))
		for i, x := range xs {
			handles[i] = x.p
		}
		lib.AtgCat(out, handles, len(handles), dim)
	})
}

// IndexSelect picks rows of dimension dim by an int64 index.
func (s *Scope) IndexSelect(x Tensor, dim int64, index Tensor) Tensor {
	return s.gotch("index_select", []Tensor{x, index}, func(out *lib.Ctensor) { lib.AtgIndexSelect(out, x.p, dim, index.p) })
}

// IndexAdd returns x with the rows of source added at index along dim.
func (s *Scope) IndexAdd(x Tensor, dim int64, index, source Tensor) Tensor {
	return s.gotch("index_add", []Tensor{x, index, source}, func(out *lib.Ctensor) { lib.AtgIndexAdd(out, x.p, dim, index.p, source.p) })
}

// To converts x to another element type; x itself is shared where it has it already. Gradients pass through.
func (s *Scope) To(x Tensor, dtype DType) Tensor {
	return s.gotch("to", []Tensor{x}, func(out *lib.Ctensor) { lib.AtgToDtype(out, x.p, int32(dtype), 0, 0) })
}

// Clone returns a copy of x in memory of its own, cut off from its graph.
func (s *Scope) Clone(x Tensor) Tensor {
	dtype := s.DType(x)
	detached := s.Detach(x)
	return s.gotch("clone", []Tensor{detached}, func(out *lib.Ctensor) { lib.AtgToDtype(out, detached.p, int32(dtype), 0, 1) })
}

// Unshared is x without its history where nothing else holds its memory, else a [Scope.Clone] of it.
func (s *Scope) Unshared(x Tensor) Tensor {
	return s.shim("unshared", []Tensor{x}, func(out *unsafe.Pointer) *C.char { return C.revela_unshared(x.c(), out) })
}

// Detach returns x's values without its history, sharing its memory.
func (s *Scope) Detach(x Tensor) Tensor {
	return s.gotch("detach", []Tensor{x}, func(out *lib.Ctensor) { lib.AtgDetach(out, x.p) })
}

// CopyTo overwrites dst's values with src's, converting the type, without recording it.
func (s *Scope) CopyTo(dst, src Tensor) {
	if !s.ready("copy", []Tensor{dst, src}) {
		return
	}
	NoGrad(func() {
		enter()
		forgetError()
		lib.AtCopy_(dst.p, src.p)
		s.Fail(takeError("copy"))
	})
}
