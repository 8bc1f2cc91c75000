package torch

import (
	"fmt"
	"math"
	"testing"
)

// attentionCase draws packed tensors and pairs longer than one block of rows.
func attentionCase(s *Scope, dtype DType) (q, k, v, w Tensor, pairs []Pair) {
	lens := []int64{150, 37, 1, 129}
	var starts []int64
	total := int64(0)
	for _, n := range lens {
		starts = append(starts, total)
		total += n
	}
	for i := range lens {
		for j := range lens {
			if (i+2*j)%3 != 0 {
				pairs = append(pairs, Pair{starts[i], lens[i], starts[j], lens[j]})
			}
		}
	}
	q, k, v = s.Randn(dtype, total, 6, 16), s.Randn(dtype, total, 2, 16), s.Randn(dtype, total, 2, 16)
	return q, k, v, s.Uniform(Float32, 0, 1, int64(len(pairs))), pairs
}

// attentionKinds are the reference and what is tested against it.
var attentionKinds = []func(s *Scope, q, k, v Tensor, scale float64, terms ...Term) Tensor{(*Scope).Attention, (*Scope).CompositeAttention}

// TestAttentionEqualsComposite reads causal self-attention and weighted pairs in one operation, as a training step does.
func TestAttentionEqualsComposite(t *testing.T) {
	for _, dtype := range []DType{Float32, BFloat16} {
		for _, norm := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v norm %v", dtype, norm), func(t *testing.T) {
				s := NewScope()
				defer s.Close()
				s.Fail(Seed(1))
				q, k, v, w, pairs := attentionCase(s, dtype)
				tolerance := map[DType]float64{Float32: 2e-5, BFloat16: 2e-2}[dtype]
				var results [2][]Tensor
				probe := s.Randn(dtype, s.Shape(q)...)
				for i, attend := range attentionKinds {
					in := []Tensor{s.Leaf(q), s.Leaf(k), s.Leaf(v), s.Leaf(w)}
					y := attend(s, in[0], in[1], in[2], 0.25, Term{Pairs: ownPairs(pairs), Causal: true, Window: 100},
						Term{Pairs: pairs, Weights: in[3], ValueNorm: norm})
					results[i] = append(s.Grad([]Tensor{y}, []Tensor{probe}, in, false), y)
				}
				if s.Err() != nil {
					t.Fatal(s.Err())
				}
				for i, name := range []string{"dq", "dk", "dv", "dw", "out"} {
					if d := relativeDifference(t, results[0][i], results[1][i]); d > tolerance {
						t.Errorf("%s differs by %.2e of its largest value, at most %.0e allowed", name, d, tolerance)
					}
				}
			})
		}
	}
}

// ownPairs lets the sequences that ask read themselves.
func ownPairs(pairs []Pair) []Pair {
	var own []Pair
	for i, p := range pairs {
		if i == 0 || p.Query != pairs[i-1].Query {
			own = append(own, Pair{p.Query, p.QueryLen, p.Query, p.QueryLen})
		}
	}
	return own
}

func TestCausalWindowEqualsComposite(t *testing.T) {
	s := NewScope()
	defer s.Close()
	s.Fail(Seed(2))
	q, k, v, _, _ := attentionCase(s, Float32)
	pairs := []Pair{{0, 150, 0, 150}, {150, 167, 150, 167}}
	for _, term := range []Term{{Pairs: pairs}, {Pairs: pairs, Causal: true}, {Pairs: pairs, Causal: true, Window: 20}} {
		var results []Tensor
		for _, attend := range attentionKinds {
			results = append(results, attend(s, q, k, v, 0.25, term))
		}
		if s.Err() != nil {
			t.Fatal(s.Err())
		}
		if d := relativeDifference(t, results[0], results[1]); d > 1e-5 {
			t.Errorf("%+v: differs by %.2e", term, d)
		}
	}
}

// relativeDifference is the largest |a−b| over the largest |b|.
func relativeDifference(t *testing.T, a, b Tensor) float64 {
	t.Helper()
	return difference(t, read(t, a), read(t, b))
}

func difference(t *testing.T, x, y []float64) float64 {
	t.Helper()
	if len(x) != len(y) {
		t.Fatalf("%d elements against %d", len(x), len(y))
	}
	worst, largest := 0.0, 1e-30
	for i := range x {
		worst = math.Max(worst, math.Abs(x[i]-y[i]))
		largest = math.Max(largest, math.Abs(y[i]))
		if math.IsNaN(x[i]) {
			t.Fatalf("element %d is NaN", i)
		}
	}
	return worst / largest
}
