package torch

// #include "shim.h"
// #include "shim_device.h"
import "C"

import (
	"fmt"
	"runtime"
	"unsafe"
)

const maxDims = 8

// Info is the shape and element type of a tensor.
type Info struct {
	Shape []int64
	DType DType
}

// Info reads t's shape and type.
func (t Tensor) Info() (Info, error) {
	var sizes [maxDims]int64
	var dims, dtype C.int
	if t.p == nil {
		return Info{}, fmt.Errorf("shape: no tensor")
	}
	if err := failure("shape", C.revela_sizes(t.c(), cints(sizes[:]), maxDims, &dims, &dtype)); err != nil {
		return Info{}, err
	}
	return Info{Shape: append([]int64(nil), sizes[:dims]...), DType: DType(dtype)}, nil
}

// Shape returns x's sizes, nil after an error.
func (s *Scope) Shape(x Tensor) []int64 { return s.info(x).Shape }

// DType returns x's element type.
func (s *Scope) DType(x Tensor) DType { return s.info(x).DType }

// Size returns the size of dimension dim, which may count from the end (-1 is the last).
func (s *Scope) Size(x Tensor, dim int) int64 {
	shape := s.Shape(x)
	if dim < 0 {
		dim += len(shape)
	}
	if s.err != nil {
		return 0
	}
	if dim < 0 || dim >= len(shape) {
		s.Fail(fmt.Errorf("size: dimension %d of a tensor of shape %v", dim, shape))
		return 0
	}
	return shape[dim]
}

func (s *Scope) info(x Tensor) Info {
	if s.err != nil {
		return Info{}
	}
	info, err := x.Info()
	s.Fail(err)
	return info
}

// element is a Go type that tensors can be made of and read into.
type element interface {
	~float32 | ~float64 | ~int64 | ~int32 | ~uint8
}

func dtypeOf[E element]() DType {
	var zero E
	switch any(zero).(type) {
	case float32:
		return Float32
	case float64:
		return Float64
	case int64:
		return Int64
	case int32:
		return Int32
	}
	return Uint8
}

// From returns a new tensor of the given shape with a copy of data; no shape makes a scalar.
func From[E element](s *Scope, data []E, shape ...int64) Tensor {
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(data))), len(data)*dtypeOf[E]().Size())
	return s.FromBytes(bytes, dtypeOf[E](), shape...)
}

// FromBytes returns a new tensor with a copy of data, which holds its elements little-endian. To a GPU the copy goes through
// memory that the system cannot page out, and nothing waits for it.
func (s *Scope) FromBytes(data []byte, dtype DType, shape ...int64) Tensor {
	const op = "tensor of slice"
	if !OnDevice() {
		return s.onHost(op, data, dtype, shape, true)
	}
	return s.uploaded(op, data, dtype, shape)
}

// FromMemory returns a tensor over foreign memory, without a copy: data must be no memory of Go's heap (a mapped file)
// and must outlive the tensor. On a device the tensor is a copy.
func (s *Scope) FromMemory(data []byte, dtype DType, shape ...int64) Tensor {
	const op = "tensor of memory"
	if !OnDevice() {
		return s.onHost(op, data, dtype, shape, false)
	}
	return s.uploaded(op, data, dtype, shape)
}

func (s *Scope) onHost(op string, data []byte, dtype DType, shape []int64, copied bool) Tensor {
	return s.fromMemory(op, data, dtype, shape, func(out *unsafe.Pointer) *C.char {
		return C.revela_from_blob(unsafe.Pointer(unsafe.SliceData(data)), cints(shape), C.int(len(shape)), C.int(dtype),
			cbool(copied), out)
	})
}

func (s *Scope) uploaded(op string, data []byte, dtype DType, shape []int64) Tensor {
	return s.fromMemory(op, data, dtype, shape, func(out *unsafe.Pointer) *C.char {
		return C.revela_upload(unsafe.Pointer(unsafe.SliceData(data)), cints(shape), C.int(len(shape)), C.int(dtype), out)
	})
}

func (s *Scope) fromMemory(op string, data []byte, dtype DType, shape []int64, call func(out *unsafe.Pointer) *C.char) Tensor {
	if want := numel(shape) * int64(dtype.Size()); int64(len(data)) != want {
		s.Fail(fmt.Errorf("%s: %d bytes found, %d expected for %v of shape %v", op, len(data), want, dtype, shape))
		return Tensor{}
	}
	t := s.shim(op, nil, call)
	runtime.KeepAlive(data)
	return t
}

// Read copies t, converted to E's type, into a new slice in row-major order.
func Read[E element](t Tensor) ([]E, error) {
	s := NewScope()
	defer s.Close()
	shape := s.Shape(t)
	converted := s.To(t, dtypeOf[E]())
	if s.err != nil {
		return nil, s.err
	}
	data := make([]E, numel(shape))
	return data, ReadInto(converted, data)
}

// ReadInto copies t, which must be of E's type and of len(data) elements, into data.
func ReadInto[E element](t Tensor, data []E) error {
	var zero E
	if len(data) == 0 {
		return nil
	}
	err := failure("read tensor", C.revela_copy_out(t.c(), unsafe.Pointer(unsafe.SliceData(data)),
		C.size_t(len(data)*int(unsafe.Sizeof(zero)))))
	runtime.KeepAlive(data)
	return err
}

// Bytes copies the elements of t, in its own type, little-endian.
func (t Tensor) Bytes() ([]byte, error) {
	info, err := t.Info()
	if err != nil {
		return nil, err
	}
	data := make([]byte, numel(info.Shape)*int64(info.DType.Size()))
	return data, ReadInto(t, data)
}

// Float returns the value of a tensor of one element.
func (t Tensor) Float() (float64, error) {
	values, err := Read[float64](t)
	if err != nil {
		return 0, err
	}
	if len(values) != 1 {
		return 0, fmt.Errorf("read scalar: %d elements found, 1 expected", len(values))
	}
	return values[0], nil
}

func numel(shape []int64) int64 {
	n := int64(1)
	for _, d := range shape {
		n *= d
	}
	return n
}
