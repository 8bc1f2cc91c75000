package torch

import (
	"math"
	"slices"
	"testing"
)

// droppedOf is projectionOf whose LoRA reads its input through dropout.
func droppedOf(in []Tensor) Projection {
	p := projectionOf(in)
	p.Dropout = 0.4
	return p
}

// The masks of a seed are the same each time, so finite differences see them, too.
func TestGradientThroughDropout(t *testing.T) {
	three := append(projected(3, 4), append(projected(3, 4), projected(4, 3)...)...)
	for name, test := range map[string]struct {
		shapes [][]int64
		f      func(s *Scope, in []Tensor) Tensor
	}{
		"project": {append([][]int64{{5, 4}, {5, 3}}, projected(3, 4)...), func(s *Scope, in []Tensor) Tensor {
			return s.Project(in[0], in[1], droppedOf(in[2:]))
		}},
		"activated": {append([][]int64{{5, 3}}, projected(3, 4)...), func(s *Scope, in []Tensor) Tensor {
			return s.Activated(in[0], droppedOf(in[1:]), GELU)
		}},
		"norm_project": {append([][]int64{{5, 3}, {3}}, slices.Concat(projected(3, 4), projected(3, 4), projected(3, 4))...),
			func(s *Scope, in []Tensor) Tensor {
				a, b, c := s.NormProject(in[0], in[1], 1e-5, 2, 0, droppedOf(in[2:]), droppedOf(in[6:]), droppedOf(in[10:]))
				return s.Cat(0, a, s.Mul(b, c))
			}},
		"gated_mlp": {append([][]int64{{5, 3}, {3}}, three...), func(s *Scope, in []Tensor) Tensor {
			return s.GatedMLP(in[0], in[1], 1e-5, droppedOf(in[2:]), droppedOf(in[6:]), droppedOf(in[10:]))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			gradCheck(t, test.shapes, func(s *Scope, in []Tensor) Tensor {
				s.Fail(Seed(5))
				return test.f(s, in)
			})
		})
	}
}

// seen is what LoRA sees of ones [rows, 64]: its factors are the identity, and there is no weight beside them.
func seen(t *testing.T, dtype DType, rows int64, p float64) []float64 {
	t.Helper()
	s := NewScope()
	defer s.Close()
	identity := make([]float32, 64*64)
	for i := range 64 {
		identity[65*i] = 1
	}
	one := s.To(From(s, identity, 64, 64), dtype)
	x := s.To(s.Add(s.Zeros(Float32, rows, 64), From(s, []float32{1}, 1)), dtype)
	y := s.Project(Tensor{}, x, Projection{Weight: s.To(s.Zeros(Float32, 64, 64), dtype), A: one, B: one, Scale: 1, Dropout: p})
	return read(t, s.To(y, Float64))
}

func TestDropoutKeepsTheShare(t *testing.T) {
	for _, dtype := range []DType{Float64, Float32, BFloat16} {
		for _, p := range []float64{0.1, 0.5, 0.9} {
			if err := Seed(11); err != nil {
				t.Fatal(err)
			}
			first, second := seen(t, dtype, 1000, p), seen(t, dtype, 1000, p)
			kept, both := 0.0, 0.0
			columns := make([]float64, 64)
			for i, v := range first {
				if v == 0 {
					continue
				}
				if math.Abs(v*(1-p)-1) > 0.01 {
					t.Fatalf("%v, p %g: a kept one became %g", dtype, p, v)
				}
				kept, columns[i%64] = kept+1, columns[i%64]+1
				if second[i] != 0 {
					both++
				}
			}
			n, q := float64(len(first)), 1-p
			within := func(what string, count, n, share float64) {
				if deviation := math.Abs(count-n*share) / math.Sqrt(n*share*(1-share)); deviation > 5 {
					t.Errorf("%v, p %g: %s: %g of %g, %.1f standard deviations off", dtype, p, what, count, n, deviation)
				}
			}
			within("kept", kept, n, q)
			within("kept both times", both, n, q*q)
			for _, count := range columns {
				within("kept of a column", count, n/64, q)
			}
			if err := Seed(11); err != nil || !slices.Equal(first, seen(t, dtype, 1000, p)) {
				t.Errorf("%v, p %g: another mask for the same seed, error %v", dtype, p, err)
			}
		}
	}
}
