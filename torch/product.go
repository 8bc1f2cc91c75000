package torch

import (
	"runtime"
	"unsafe"

	lib "github.com/sugarme/gotch/libtch"
)

// Products writes the inner products of the rows of a [n, k] and of b [m, k] to out [n, m], in fp32. None of the three is
// copied; they may be of Go's heap or mapped files.
func Products(a, b []float32, n, m, k int, out []float32) error {
	var pinned runtime.Pinner
	defer pinned.Unpin() // after the tensors are gone
	s := NewScope()
	defer s.Close()
	over := func(x []float32, rows, columns int) Tensor {
		if len(x) > 0 {
			pinned.Pin(unsafe.SliceData(x))
		}
		bytes := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 4*len(x))
		return s.FromMemory(bytes, Float32, int64(rows), int64(columns))
	}
	left, right, into := over(a, n, k), s.Transpose(over(b, m, k), 0, 1), over(out, n, m)
	s.gotch("matmul", []Tensor{into, left, right}, func(result *lib.Ctensor) {
		lib.AtgMatmulOut(result, into.p, left.p, right.p)
	})
	return s.Err()
}
