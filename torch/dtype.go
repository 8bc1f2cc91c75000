package torch

import "fmt"

// DType is the type of a tensor's elements, numbered as in c10::ScalarType.
type DType int32

// Types that revela uses.
const (
	Uint8    DType = 0
	Int32    DType = 3
	Int64    DType = 4
	Float16  DType = 5
	Float32  DType = 6
	Float64  DType = 7
	Bool     DType = 11
	BFloat16 DType = 15
)

var dtypes = map[DType]struct {
	name string
	size int
}{
	Uint8: {"uint8", 1}, Int32: {"int32", 4}, Int64: {"int64", 8}, Float16: {"fp16", 2}, Float32: {"fp32", 4},
	Float64: {"fp64", 8}, Bool: {"bool", 1}, BFloat16: {"bf16", 2},
}

// Size is the number of bytes of an element.
func (d DType) Size() int { return dtypes[d].size }

// String is the short name that configurations use, such as "bf16".
func (d DType) String() string {
	if t, ok := dtypes[d]; ok {
		return t.name
	}
	return fmt.Sprintf("dtype %d", int32(d))
}
