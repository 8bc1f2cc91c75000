package model

import (
	"fmt"
	"math"
	"testing"

	"revela/internal/fixture"
	"revela/torch"
)

// TestFixtureSimilarityInBFloat16 rounds as the published bf16 runs do.
func TestFixtureSimilarityInBFloat16(t *testing.T) {
	golden := fixture.Open(t, "similarity-bf16", "expected.safetensors")
	checked := 0
	for _, kind := range []string{"spread", "narrow"} {
		for key, tau := range map[string]float64{"tau_1e-4": 1e-4, "tau_0.05": 0.05} {
			t.Run(fmt.Sprintf("%s %s", kind, key), func(t *testing.T) {
				s := torch.NewScope()
				defer s.Close()
				o := Similarity{Temperature: tau, ExcludeSelf: true, Normalize: true, Precision: torch.BFloat16}
				q, p := s.Leaf(golden.Tensor(s, kind+".hidden_query")), s.Leaf(golden.Tensor(s, kind+".hidden_passage"))
				scores := o.Scores(s, q, p)
				weights := o.Weights(s, scores)
				grads := s.Grad([]torch.Tensor{weights}, []torch.Tensor{golden.Tensor(s, kind+".upstream")}, []torch.Tensor{q, p}, false)
				if s.Err() != nil {
					t.Fatal(s.Err())
				}
				oneStep(t, "similarity", fixture.Values(t, scores), golden.Values(kind+".similarity"))
				oneStep(t, "weights", fixture.Values(t, weights), golden.Values(kind+"."+key+".weights"))
				closeInNorm(t, "grad_query", fixture.Values(t, grads[0]), golden.Values(kind+"."+key+".grad_query"))
				closeInNorm(t, "grad_passage", fixture.Values(t, grads[1]), golden.Values(kind+"."+key+".grad_passage"))
				checked++
			})
		}
	}
	if checked == 0 {
		t.Error("nothing was checked")
	}
}

// oneStep allows a difference of one step of bf16 (8 bits of mantissa).
func oneStep(t *testing.T, name string, got, want []float64) {
	t.Helper()
	for i := range want {
		if d := math.Abs(got[i] - want[i]); d > math.Abs(want[i])/128 {
			t.Fatalf("%s: element %d is %v, want %v to one bf16 step", name, i, got[i], want[i])
		}
	}
}

func closeInNorm(t *testing.T, name string, got, want []float64) {
	t.Helper()
	difference, norm := 0.0, 0.0
	for i := range want {
		difference += (got[i] - want[i]) * (got[i] - want[i])
		norm += want[i] * want[i]
	}
	if math.Sqrt(difference) > 0.02*math.Sqrt(norm)+1e-6 {
		t.Errorf("%s differs by %.2e, at most 2 %% of its norm %.2e allowed", name, math.Sqrt(difference), math.Sqrt(norm))
	}
}
