package torch

import (
	"math"
	"testing"
)

// gradCheck compares the gradients of Σ f(inputs)·probe with central differences in float64.
func gradCheck(t *testing.T, shapes [][]int64, f func(s *Scope, in []Tensor) Tensor) {
	t.Helper()
	s := NewScope()
	defer s.Close()
	if err := Seed(3); err != nil {
		t.Fatal(err)
	}
	values := make([][]float64, len(shapes))
	in := make([]Tensor, len(shapes))
	for i, shape := range shapes {
		x := s.Randn(Float64, shape...)
		values[i] = read(t, x)
		in[i] = s.Leaf(x)
	}
	var probe []float64
	value := func(values [][]float64) float64 {
		sub := NewScope()
		defer sub.Close()
		args := make([]Tensor, len(shapes))
		for i, shape := range shapes {
			args[i] = From(sub, values[i], shape...)
		}
		y := read(t, f(sub, args))
		if probe == nil {
			for i := range y {
				probe = append(probe, math.Cos(float64(i)))
			}
		}
		sum := 0.0
		for i := range y {
			sum += y[i] * probe[i]
		}
		return sum
	}
	value(values)
	y := f(s, in)
	if s.Err() != nil {
		t.Fatal(s.Err())
	}
	grads := s.Grad([]Tensor{y}, []Tensor{From(s, probe, s.Shape(y)...)}, in, false)
	if s.Err() != nil {
		t.Fatal(s.Err())
	}
	const h = 1e-6
	for i := range in {
		got := read(t, grads[i])
		for e := range values[i] {
			x := values[i][e]
			values[i][e] = x + h
			up := value(values)
			values[i][e] = x - h
			down := value(values)
			values[i][e] = x
			want := (up - down) / (2 * h)
			if math.Abs(got[e]-want) > 1e-6*(1+math.Abs(want)) {
				t.Fatalf("input %d element %d: gradient %.9f, finite difference %.9f", i, e, got[e], want)
			}
		}
	}
}

func read(t *testing.T, x Tensor) []float64 {
	t.Helper()
	v, err := Read[float64](x)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Three query and two key sequences: two queries read both keys, one reads one.
var testPairs = []Pair{{0, 3, 0, 4}, {0, 3, 4, 2}, {3, 2, 4, 2}, {5, 4, 0, 4}, {5, 4, 4, 2}}

func TestGradientOfAttention(t *testing.T) {
	shapes := [][]int64{{9, 4, 3}, {6, 2, 3}, {6, 2, 3}, {5}}
	for _, norm := range []bool{false, true} {
		for _, attend := range attentionKinds {
			gradCheck(t, shapes, func(s *Scope, in []Tensor) Tensor {
				return attend(s, in[0], in[1], in[2], 0.7, Term{Pairs: testPairs, Weights: in[3], ValueNorm: norm})
			})
		}
	}
}

func TestGradientOfSelfAttention(t *testing.T) {
	pairs := []Pair{{0, 5, 0, 5}, {5, 3, 5, 3}}
	shapes := [][]int64{{8, 2, 3}, {8, 1, 3}, {8, 1, 3}}
	for _, term := range []Term{{Pairs: pairs}, {Pairs: pairs, Causal: true}, {Pairs: pairs, Causal: true, Window: 2}} {
		gradCheck(t, shapes, func(s *Scope, in []Tensor) Tensor {
			return s.Attention(in[0], in[1], in[2], 0.5, term)
		})
	}
}

// TestGradientOfLockstepAttention has both passes of a training step in one operation: three sequences read themselves,
// the last two also those before them.
func TestGradientOfLockstepAttention(t *testing.T) {
	own := Term{Pairs: []Pair{{0, 4, 0, 4}, {4, 3, 4, 3}, {7, 2, 7, 2}}, Causal: true}
	read := []Pair{{4, 3, 0, 4}, {7, 2, 0, 4}, {7, 2, 4, 3}}
	gradCheck(t, [][]int64{{9, 4, 3}, {9, 2, 3}, {9, 2, 3}, {3}}, func(s *Scope, in []Tensor) Tensor {
		return s.Attention(in[0], in[1], in[2], 0.7, own, Term{Pairs: read, Weights: in[3], ValueNorm: true})
	})
}

func TestGradientOfRMSNorm(t *testing.T) {
	gradCheck(t, [][]int64{{3, 5}, {5}}, func(s *Scope, in []Tensor) Tensor { return s.RMSNorm(in[0], in[1], 1e-5) })
}

func TestGradientOfRope(t *testing.T) {
	angles := []float64{0, 0.3, 1, 2, -1, 0.5}
	gradCheck(t, [][]int64{{3, 2, 4}}, func(s *Scope, in []Tensor) Tensor {
		cos, sin := make([]float64, 6), make([]float64, 6)
		for i, a := range angles {
			cos[i], sin[i] = math.Cos(a), math.Sin(a)
		}
		return s.Rope(in[0], From(s, cos, 3, 2), From(s, sin, 3, 2))
	})
}

func TestGradientOfLinearCrossEntropy(t *testing.T) {
	gradCheck(t, [][]int64{{7, 4}, {11, 4}}, func(s *Scope, in []Tensor) Tensor {
		return s.LinearCrossEntropy(in[0], in[1], From(s, []int64{0, 3, 10, 5, 5, 2, 9}, 7), 3)
	})
}

// projected are shapes of a projection from in to out with everything there is: weight, bias, A, B.
func projected(in, out int64) [][]int64 { return [][]int64{{out, in}, {out}, {2, in}, {out, 2}} }

func projectionOf(in []Tensor) Projection {
	return Projection{Weight: in[0], Bias: in[1], A: in[2], B: in[3], Scale: 0.7}
}

func TestGradientOfProject(t *testing.T) {
	gradCheck(t, append([][]int64{{5, 4}, {5, 3}}, projected(3, 4)...), func(s *Scope, in []Tensor) Tensor {
		return s.Add(s.Project(in[0], in[1], projectionOf(in[2:])), s.Project(Tensor{}, in[1], Projection{Weight: in[2]}))
	})
}

func TestGradientOfNormProject(t *testing.T) {
	shapes := [][]int64{{5, 3}, {3}}
	for range 3 {
		shapes = append(shapes, projected(3, 4)...)
	}
	for _, from := range []int64{0, 2, 5} {
		for _, headDim := range []int64{0, 2} {
			gradCheck(t, shapes, func(s *Scope, in []Tensor) Tensor {
				a, b, c := s.NormProject(in[0], in[1], 1e-5, from, headDim, projectionOf(in[2:]), projectionOf(in[6:]), projectionOf(in[10:]))
				return s.Cat(0, a, s.Mul(b, c))
			})
		}
	}
}

func TestGradientOfProjectedHeads(t *testing.T) {
	gradCheck(t, append([][]int64{{5, 4}, {5, 3, 2}}, projected(6, 4)...), func(s *Scope, in []Tensor) Tensor {
		return s.Project(in[0], in[1], projectionOf(in[2:]))
	})
}

func TestGradientOfGatedMLP(t *testing.T) {
	shapes := append([][]int64{{5, 3}, {3}}, append(projected(3, 4), append(projected(3, 4), projected(4, 3)...)...)...)
	gradCheck(t, shapes, func(s *Scope, in []Tensor) Tensor {
		return s.GatedMLP(in[0], in[1], 1e-5, projectionOf(in[2:]), projectionOf(in[6:]), projectionOf(in[10:]))
	})
}

// Computed again by blocks, the last of them shorter, the feed-forward half has the gradients that it has when it is kept.
func TestGatedMLPAgain(t *testing.T) {
	for _, dtype := range []DType{Float64, Float32, BFloat16} {
		for _, frozen := range []bool{true, false} {
			for _, dropout := range []float64{0, 0.3} {
				checkGatedMLPAgain(t, dtype, frozen, dropout)
			}
		}
	}
}

func checkGatedMLPAgain(t *testing.T, dtype DType, frozen bool, dropout float64) {
	s := NewScope()
	defer s.Close()
	in := leaves(s, dtype, append([][]int64{{9, 64}, {64}}, append(projected(64, 128), append(projected(64, 128), projected(128, 64)...)...)...)...)
	learning := []Tensor{in[0], in[1]}
	for i, w := range in[2:] {
		if frozen && i%4 < 2 {
			s.Fail(w.RequireGrad(false))
		} else {
			learning = append(learning, w)
		}
	}
	parts := []Projection{projectionOf(in[2:]), projectionOf(in[6:]), projectionOf(in[10:])}
	for i := range parts {
		parts[i].Dropout = dropout
	}
	gradient := s.Randn(dtype, 9, 64)
	s.Fail(Seed(6))
	kept := s.Grad([]Tensor{s.GatedMLP(in[0], in[1], 1e-5, parts[0], parts[1], parts[2])}, []Tensor{gradient}, learning, false)
	s.Fail(Seed(6))
	again := s.Grad([]Tensor{s.GatedMLPAgain(in[0], in[1], 1e-5, parts[0], parts[1], parts[2], 4)}, []Tensor{gradient}, learning, false)
	if s.Err() != nil {
		t.Fatal(s.Err())
	}
	tolerance := map[DType]float64{Float64: 1e-12, Float32: 1e-5, BFloat16: 2e-2}[dtype]
	for i := range learning {
		if found := relativeDifference(t, kept[i], again[i]); found > tolerance {
			t.Errorf("%v, frozen weights %v, dropout %g: gradient %d differs by %g of its largest value", dtype, frozen, dropout, i, found)
		}
	}
}

// A frozen weight gets no gradient, and costs none.
func TestFrozenWeightOfProject(t *testing.T) {
	s := NewScope()
	defer s.Close()
	weight, in := s.Randn(Float32, 4, 3), leaves(s, Float32, []int64{5, 3}, []int64{2, 3}, []int64{4, 2})
	y := s.Project(Tensor{}, in[0], Projection{Weight: weight, A: in[1], B: in[2], Scale: 0.7})
	grads := s.Grad([]Tensor{y}, []Tensor{s.Randn(Float32, 5, 4)}, in, false)
	if s.Err() != nil || !grads[0].Defined() || !grads[1].Defined() || !grads[2].Defined() {
		t.Fatalf("gradients %v, error %v", grads, s.Err())
	}
}
