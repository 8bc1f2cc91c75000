package checkpoint

import (
	"encoding/binary"
	"fmt"
	"math"
)

// exponents maps the floating-point types to the bits of their exponent, repeated over a 64-bit word. Adding the
// exponent's lowest bit to a masked exponent carries into the sign bit exactly when the exponent is all ones, that is,
// for NaN and infinity: one addition tests up to four elements.
var exponents = map[DType]struct{ mask, low, carry uint64 }{
	F64:  {0x7ff0_0000_0000_0000, 0x0010_0000_0000_0000, 0x8000_0000_0000_0000},
	F32:  {0x7f80_0000_7f80_0000, 0x0080_0000_0080_0000, 0x8000_0000_8000_0000},
	F16:  {0x7c00_7c00_7c00_7c00, 0x0400_0400_0400_0400, 0x8000_8000_8000_8000},
	BF16: {0x7f80_7f80_7f80_7f80, 0x0080_0080_0080_0080, 0x8000_8000_8000_8000},
}

// FindNonFinite returns the flat index and the value (NaN, +Inf or -Inf) of the first element that is not finite;
// index is -1 when there is none. Integer types have none.
func FindNonFinite(t Tensor) (index int64, value float64) {
	bits, ok := exponents[t.DType]
	if !ok {
		return -1, 0
	}
	size := int(t.DType.Size())
	words := len(t.Data) &^ 7
	for i := 0; i < words; i += 8 {
		if (binary.LittleEndian.Uint64(t.Data[i:])&bits.mask+bits.low)&bits.carry != 0 {
			return firstNonFinite(t, i/size)
		}
	}
	return firstNonFinite(t, words/size)
}

// firstNonFinite is FindNonFinite from an element on, one element at a time.
func firstNonFinite(t Tensor, from int) (int64, float64) {
	size := int(t.DType.Size())
	for i := from; i < len(t.Data)/size; i++ {
		if v := floatAt(t, i); math.IsNaN(v) || math.IsInf(v, 0) {
			return int64(i), v
		}
	}
	return -1, 0
}

// floatAt returns element i of a floating-point tensor.
func floatAt(t Tensor, i int) float64 {
	le := binary.LittleEndian
	switch t.DType {
	case F64:
		return math.Float64frombits(le.Uint64(t.Data[8*i:]))
	case F32:
		return float64(math.Float32frombits(le.Uint32(t.Data[4*i:])))
	case F16:
		return float64(halfToFloat(le.Uint16(t.Data[2*i:])))
	default:
		return float64(math.Float32frombits(uint32(le.Uint16(t.Data[2*i:])) << 16))
	}
}

// halfToFloat widens an IEEE 754 half; exact.
func halfToFloat(h uint16) float32 {
	sign, exponent, fraction := uint32(h>>15)<<31, uint32(h>>10)&0x1f, uint32(h)&0x3ff
	switch exponent {
	case 0: // zero and subnormals: fraction · 2⁻²⁴
		return math.Float32frombits(sign | math.Float32bits(float32(fraction)/(1<<24)))
	case 0x1f:
		return math.Float32frombits(sign | 0x7f80_0000 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
}

// CheckFinite returns an error that names the file, the tensor and the first element that is NaN or infinite.
func (t Tensor) CheckFinite() error {
	index, value := FindNonFinite(t)
	if index < 0 {
		return nil
	}
	name := "NaN"
	if !math.IsNaN(value) {
		name = fmt.Sprint(value)
	}
	return fmt.Errorf("%s: tensor %s holds %s at index %d", t.File, t.Name, name, index)
}
