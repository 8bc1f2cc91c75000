package checkpoint

import (
	"fmt"
	"math"
	"slices"
)

// DType is the type of a tensor's elements.
type DType uint8

// The element types that this package reads and writes, in the order in which the safetensors library ranks them
// (it writes tensors of the highest rank first, so that all are aligned).
const (
	BOOL DType = iota + 1
	U8
	I8
	I16
	F16
	BF16
	I32
	F32
	F64
	I64
)

var dtypeNames = map[DType]string{
	BOOL: "BOOL", U8: "U8", I8: "I8", I16: "I16", F16: "F16", BF16: "BF16", I32: "I32", F32: "F32", F64: "F64", I64: "I64",
}

// String returns the name that safetensors gives the type, such as "BF16".
func (d DType) String() string {
	if name, ok := dtypeNames[d]; ok {
		return name
	}
	return fmt.Sprintf("DType(%d)", uint8(d))
}

// Size returns the bytes of one element, 0 for an unknown type.
func (d DType) Size() int64 {
	switch d {
	case BOOL, U8, I8:
		return 1
	case I16, F16, BF16:
		return 2
	case I32, F32:
		return 4
	case F64, I64:
		return 8
	}
	return 0
}

func parseDType(name string) (DType, bool) {
	for d, n := range dtypeNames {
		if n == name {
			return d, true
		}
	}
	return 0, false
}

// Tensor is a named array as it lies in a file: row-major, little endian.
type Tensor struct {
	Name  string
	DType DType
	Shape []int64 // empty for a scalar
	Data  []byte  // len(Data) = Elements() · DType.Size(); not to be written to
	File  string  // where it was read from, for messages
}

// Elements returns the number of elements; a scalar has one.
func (t Tensor) Elements() int64 {
	n, _ := elements(t.Shape)
	return n
}

// elements multiplies a shape out; ok is false for a negative size and where the product overflows.
func elements(shape []int64) (n int64, ok bool) {
	n = 1
	if slices.Contains(shape, 0) {
		n = 0
	}
	for _, size := range shape {
		if size < 0 || size > 0 && n > math.MaxInt64/size {
			return 0, false
		}
		n *= size
	}
	return n, true
}

// byteLength returns the bytes that a tensor of this type and shape takes; ok is false where it overflows.
func byteLength(d DType, shape []int64) (n int64, ok bool) {
	n, ok = elements(shape)
	if !ok || n > math.MaxInt64/d.Size() {
		return 0, false
	}
	return n * d.Size(), true
}
