package torch

import lib "github.com/sugarme/gotch/libtch"

// Add returns a + b, broadcast.
func (s *Scope) Add(a, b Tensor) Tensor {
	return s.gotch("add", []Tensor{a, b}, func(out *lib.Ctensor) { lib.AtgAdd(out, a.p, b.p) })
}

// Mul returns a · b element by element, broadcast.
func (s *Scope) Mul(a, b Tensor) Tensor {
	return s.gotch("mul", []Tensor{a, b}, func(out *lib.Ctensor) { lib.AtgMul(out, a.p, b.p) })
}

// Div returns a / b element by element, broadcast.
func (s *Scope) Div(a, b Tensor) Tensor {
	return s.gotch("div", []Tensor{a, b}, func(out *lib.Ctensor) { lib.AtgDiv(out, a.p, b.p) })
}

// Scale returns factor · x.
func (s *Scope) Scale(x Tensor, factor float64) Tensor {
	return s.scalar("mul", []Tensor{x}, factor, func(out *lib.Ctensor, f lib.Cscalar) { lib.AtgMulScalar(out, x.p, f) })
}

// Shift returns x + offset.
func (s *Scope) Shift(x Tensor, offset float64) Tensor {
	return s.scalar("add", []Tensor{x}, offset, func(out *lib.Ctensor, f lib.Cscalar) { lib.AtgAddScalar(out, x.p, f) })
}

// Over returns x / divisor.
func (s *Scope) Over(x Tensor, divisor float64) Tensor {
	return s.scalar("div", []Tensor{x}, divisor, func(out *lib.Ctensor, f lib.Cscalar) { lib.AtgDivScalar(out, x.p, f) })
}

// AtLeast returns max(x, floor) element by element.
func (s *Scope) AtLeast(x Tensor, floor float64) Tensor {
	return s.scalar("clamp_min", []Tensor{x}, floor, func(out *lib.Ctensor, f lib.Cscalar) { lib.AtgClampMin(out, x.p, f) })
}

// MaskedFill returns x with value where mask is true.
func (s *Scope) MaskedFill(x, mask Tensor, value float64) Tensor {
	return s.scalar("masked_fill", []Tensor{x, mask}, value, func(out *lib.Ctensor, f lib.Cscalar) { lib.AtgMaskedFill(out, x.p, mask.p, f) })
}

func (s *Scope) scalar(op string, in []Tensor, value float64, call func(out *lib.Ctensor, value lib.Cscalar)) Tensor {
	return s.gotch(op, in, func(out *lib.Ctensor) {
		f := lib.AtsFloat(value)
		defer lib.AtsFree(f)
		call(out, f)
	})
}

// MatMul is the matrix product a b, batched over leading dimensions.
func (s *Scope) MatMul(a, b Tensor) Tensor {
	return s.gotch("matmul", []Tensor{a, b}, func(out *lib.Ctensor) { lib.AtgMatmul(out, a.p, b.p) })
}

// Linear returns x Wᵀ + bias: x [..., in], weight [out, in], bias [out] or none.
func (s *Scope) Linear(x, weight, bias Tensor) Tensor {
	return s.gotch("linear", []Tensor{x, weight}, func(out *lib.Ctensor) { lib.AtgLinear(out, x.p, weight.p, bias.p) })
}

// Sqrt returns √x.
func (s *Scope) Sqrt(x Tensor) Tensor {
	return s.gotch("sqrt", []Tensor{x}, func(out *lib.Ctensor) { lib.AtgSqrt(out, x.p) })
}

// Exp returns eˣ.
func (s *Scope) Exp(x Tensor) Tensor {
	return s.gotch("exp", []Tensor{x}, func(out *lib.Ctensor) { lib.AtgExp(out, x.p) })
}

// Log returns ln x.
func (s *Scope) Log(x Tensor) Tensor {
	return s.gotch("log", []Tensor{x}, func(out *lib.Ctensor) { lib.AtgLog(out, x.p) })
}

// Sum returns the sum of all elements.
func (s *Scope) Sum(x Tensor) Tensor {
	dtype := s.DType(x)
	return s.gotch("sum", []Tensor{x}, func(out *lib.Ctensor) { lib.AtgSum(out, x.p, int32(dtype)) })
}

// Normalize divides every vector of the last dimension by its 2-norm, at least 1e-12 (torch's F.normalize).
func (s *Scope) Normalize(x Tensor) Tensor {
	norm := s.scalar("norm", []Tensor{x}, 2, func(out *lib.Ctensor, p lib.Cscalar) { lib.AtgNormScalaroptDim(out, x.p, p, []int64{-1}, 1, 1) })
	return s.Div(x, s.AtLeast(norm, 1e-12))
}

// Diagonal returns a bool mask [n, n] that is true on the diagonal.
func (s *Scope) Diagonal(n int64) Tensor {
	return s.placed(s.gotch("eye", nil, func(out *lib.Ctensor) { lib.AtgEye(out, n, int32(Bool), cpu) }))
}
