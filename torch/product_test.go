package torch

import (
	"math"
	"testing"
)

func TestProducts(t *testing.T) {
	a, b := []float32{1, 2, 3, 4, 5, 6}, []float32{1, 0, -1, 0.5, 0.5, 0.5, 0, 0, 2}
	out := make([]float32, 6)
	if err := Products(a, b, 2, 3, 3, out); err != nil {
		t.Fatal(err)
	}
	want := []float32{-2, 3, 6, -2, 7.5, 12}
	for i := range want {
		if math.Abs(float64(out[i]-want[i])) > 1e-6 {
			t.Fatalf("got %v, want %v", out, want)
		}
	}
	if err := Products(a, b, 2, 3, 4, out); err == nil {
		t.Error("shapes that do not fit their slices are no error")
	}
}
