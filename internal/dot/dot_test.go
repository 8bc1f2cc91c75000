package dot

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The sum is the same to the last bit with vector instructions and without, and right.
func TestProduct(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := range 100 {
		a, b := make([]float64, n+3), make([]float32, n)
		want, size := 0.0, 0.0
		for i := range b {
			a[i], b[i] = float64(float32(rng.NormFloat64())), float32(rng.NormFloat64()*math.Pow(10, float64(rng.IntN(9)-4)))
			want += a[i] * float64(b[i])
			size += math.Abs(a[i] * float64(b[i]))
		}
		got := Product(a, b)
		if math.Abs(got-want) > 1e-14*size {
			t.Errorf("%d terms: %v, want %v", n, got, want)
		}
		whole := n / lanes * lanes
		if whole == 0 {
			continue
		}
		if x, y := sum(a[:whole], b[:whole]), plain(a[:whole], b[:whole]); x != y {
			t.Errorf("%d terms: %v with vector instructions, %v without", whole, x, y)
		}
	}
}

func BenchmarkProduct(b *testing.B) {
	x, y := make([]float64, 384), make([]float32, 384)
	for b.Loop() {
		Product(x, y)
	}
}
