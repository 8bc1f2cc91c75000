package torch

import (
	"fmt"
	"math"
	"testing"

	lib "github.com/sugarme/gotch/libtch"
)

// weightTypes are the types that packed weights have, with what a result of size 1 may be off.
var weightTypes = map[DType]float64{Float32: 1e-5, BFloat16: 0.03}

// size is that of a projection with LoRA.
type size struct{ out, in, rank int64 }

// sizes are one that only oneDNN packs and two that fit panels, too.
var sizes = []size{{48, 32, 2}, {128, 64, 3}, {64, 2176, 16}}

// drawn is a projection with everything there is, its weights so large that results are about 1.
func (z size) drawn(s *Scope, dtype DType) Projection {
	draw := func(shape ...int64) Tensor { return s.Scale(s.Randn(dtype, shape...), 1/math.Sqrt(float64(z.in))) }
	return Projection{Weight: draw(z.out, z.in), Bias: draw(z.out), A: draw(z.rank, z.in), B: draw(z.out, z.rank), Scale: 0.7}
}

// in returns p in another type.
func (p Projection) in(s *Scope, dtype DType) Projection {
	for _, t := range []*Tensor{&p.Weight, &p.Bias, &p.A, &p.B} {
		if t.Defined() {
			*t = s.To(*t, dtype)
		}
	}
	return p
}

// packed returns p with its weight packed, for both directions: in panels where they fit. It skips the test where the machine
// has no use for that.
func (p Projection) packed(t *testing.T, s *Scope) Projection {
	lay := s.Panels
	if !lay(p.Weight, false).Defined() {
		lay = s.PackWeight
	}
	p.Weight, p.Back = lay(p.Weight, false), lay(p.Weight, true)
	if s.Err() == nil && !p.Weight.Defined() {
		t.Skip("no packed weights on this machine")
	}
	return p
}

// withGradient returns y = f(x) and the gradient of x for y's own values as that of y.
func withGradient(t *testing.T, s *Scope, x Tensor, f func(x Tensor) Tensor) (y, dx []float64) {
	t.Helper()
	leaf := s.Leaf(x)
	out := f(leaf)
	grad := s.Grad([]Tensor{out}, []Tensor{s.Detach(out)}, []Tensor{leaf}, false)[0]
	return read(t, s.To(s.Detach(out), Float64)), read(t, s.To(grad, Float64))
}

func requireClose(t *testing.T, what string, got, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) || len(got) == 0 {
		t.Fatalf("%s has %d values, want %d", what, len(got), len(want))
	}
	for i := range got {
		if d := math.Abs(got[i] - want[i]); !(d <= tolerance*max(1, math.Abs(want[i]))) {
			t.Fatalf("%s: value %d is %g, want %g", what, i, got[i], want[i])
		}
	}
}

// TestPackedProjection compares with fp64, for few rows and for as many as let oneDNN take a dense weight too.
func TestPackedProjection(t *testing.T) {
	for dtype, tolerance := range weightTypes {
		for i, rows := range []int64{1, 7, 300, 1, 45, 300, 33} {
			z := sizes[min(i/3, len(sizes)-1)]
			t.Run(fmt.Sprintf("%v %v, %d rows", dtype, z, rows), func(t *testing.T) {
				s := NewScope()
				defer s.Close()
				s.Fail(Seed(3))
				full, x, onto := z.drawn(s, dtype), s.Randn(dtype, rows, z.in), s.Randn(dtype, rows, z.out)
				bare := Projection{Weight: full.Weight, Bias: full.Bias}
				for name, p := range map[string]Projection{"LoRA": full, "no LoRA": bare} {
					for i, got := range []Projection{p, p.packed(t, s)} {
						for _, to := range []Tensor{onto, {}} {
							y, dx := withGradient(t, s, x, func(x Tensor) Tensor { return s.Project(to, x, got) })
							wantY, wantDx := withGradient(t, s, s.To(x, Float64), func(x Tensor) Tensor {
								if to.Defined() {
									return s.Project(s.To(to, Float64), x, p.in(s, Float64))
								}
								return s.Project(to, x, p.in(s, Float64))
							})
							what := fmt.Sprintf("%s, packed %v, onto %v: ", name, i == 1, to.Defined())
							requireClose(t, what+"result", y, wantY, tolerance)
							requireClose(t, what+"gradient", dx, wantDx, tolerance)
						}
					}
				}
				requireClose(t, "unpacked weight", read(t, s.To(s.Unpacked(bare.packed(t, s).Weight), Float64)),
					read(t, s.To(bare.Weight, Float64)), 0)
			})
		}
	}
}

// activate is f of every element of x.
func (s *Scope) activate(x Tensor, f Activation) Tensor {
	switch f {
	case GELU:
		return s.gotch("gelu", []Tensor{x}, func(out *lib.Ctensor) { lib.AtgGelu(out, x.p, "none") })
	case GELUTanh:
		return s.gotch("gelu", []Tensor{x}, func(out *lib.Ctensor) { lib.AtgGelu(out, x.p, "tanh") })
	case ReLU:
		return s.gotch("relu", []Tensor{x}, func(out *lib.Ctensor) { lib.AtgRelu(out, x.p) })
	}
	return x
}

// TestActivatedProjection compares the activation as part of a product, and as an operation that gradients pass, with fp64.
func TestActivatedProjection(t *testing.T) {
	for dtype, tolerance := range weightTypes {
		for i, f := range []Activation{NoActivation, GELU, GELUTanh, ReLU, GELU, GELUTanh, ReLU} {
			z := sizes[min(i/4, 1)]
			s := NewScope()
			s.Fail(Seed(3))
			full, x := z.drawn(s, dtype), s.Randn(dtype, 45, z.in)
			p := Projection{Weight: full.Weight, Bias: full.Bias}
			packed := p.packed(t, s)
			want, wantDx := withGradient(t, s, s.To(x, Float64), func(x Tensor) Tensor { return s.activate(s.Project(Tensor{}, x, p.in(s, Float64)), f) })
			y, dx := withGradient(t, s, x, func(x Tensor) Tensor { return s.Activated(x, packed, f) })
			requireClose(t, fmt.Sprint(dtype, f, " with a graph"), y, want, tolerance)
			requireClose(t, fmt.Sprint(dtype, f, " gradient"), dx, wantDx, tolerance)
			NoGrad(func() { y = read(t, s.To(s.Activated(x, packed, f), Float64)) })
			requireClose(t, fmt.Sprint(dtype, f, " without"), y, want, tolerance)
			s.Close()
		}
	}
}

// TestLowRankGradients compares the gradients of LoRA's factors with fp64: for thin ranks and for one that is not, over fewer
// rows than are summed at a time and over more.
func TestLowRankGradients(t *testing.T) {
	for dtype, tolerance := range weightTypes {
		for _, rank := range []int64{1, 6, 16, 96} {
			for _, rows := range []int64{3, 33, 600} {
				s := NewScope()
				s.Fail(Seed(4))
				p, x := size{128, 64, rank}.drawn(s, dtype).packed(t, s), s.Randn(dtype, rows, 64)
				dy := s.Scale(s.Randn(dtype, rows, 128), 1/math.Sqrt(float64(rows)))
				gradients := func(p Projection, x, dy Tensor) [][]float64 {
					p.A, p.B = s.Leaf(p.A), s.Leaf(p.B)
					grads := s.Grad([]Tensor{s.Project(Tensor{}, x, p)}, []Tensor{dy}, []Tensor{p.A, p.B}, false)
					return [][]float64{read(t, s.To(grads[0], Float64)), read(t, s.To(grads[1], Float64))}
				}
				got := gradients(p, x, dy)
				dense := p
				dense.Weight, dense.Back = s.Unpacked(p.Weight), Tensor{}
				want := gradients(dense.in(s, Float64), s.To(x, Float64), s.To(dy, Float64))
				for i, name := range []string{"A", "B"} {
					requireClose(t, fmt.Sprintf("%v, rank %d, %d rows: gradient of %s", dtype, rank, rows, name), got[i], want[i], tolerance)
				}
				s.Close()
			}
		}
	}
}
