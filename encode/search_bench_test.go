package encode

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"revela/evaluate"
	"revela/internal/machine"
	"revela/torch"
)

// BenchmarkSearch finds the best 1000 of half a million documents for 1000 queries, unit vectors of dimension 384, and
// holds the products' floating point operations against the rate of one large matrix product.
func BenchmarkSearch(b *testing.B) {
	const queries, block, blocks, dim, k = 1000, 1 << 16, 8, 384, 1000
	rng := rand.New(rand.NewPCG(1, 2))
	q, d := unitVectors(rng, queries, dim), unitVectors(rng, block*blocks, dim)
	ids := make([]string, block*blocks)
	for i := range ids {
		ids[i] = fmt.Sprintf("d%07d", i)
	}
	peak, err := machine.MultiplyRate(torch.Float32, 2048, 2*time.Second)
	if err != nil {
		b.Fatal(err)
	}
	multiplying := time.Duration(0)
	product := func(q, d []float32, nq, nd, dim int, out []float32) error {
		start := time.Now()
		defer func() { multiplying += time.Since(start) }()
		return Product(q, d, nq, nd, dim, out)
	}
	for b.Loop() {
		s, err := evaluate.NewSearch(q, dim, k, nil, product)
		if err != nil {
			b.Fatal(err)
		}
		for at := 0; at < len(ids); at += block {
			if err := s.Add(ids[at:at+block], d[at*dim:(at+block)*dim]); err != nil {
				b.Fatal(err)
			}
		}
		if hits := s.Hits(); len(hits[0]) != k {
			b.Fatalf("%d hits", len(hits[0]))
		}
	}
	seconds := b.Elapsed().Seconds() / float64(b.N)
	rate := 2 * queries * block * blocks * dim / seconds
	b.ReportMetric(rate/1e9, "GFLOP/s")
	b.ReportMetric(100*rate/peak, "%peak")
	b.ReportMetric(peak/1e9, "peakGFLOP/s")
	b.ReportMetric(100*multiplying.Seconds()/b.Elapsed().Seconds(), "%multiplying")
}

func unitVectors(rng *rand.Rand, n, dim int) []float32 {
	out := make([]float32, n*dim)
	for i := range n {
		row, squares := out[i*dim:(i+1)*dim], 0.0
		for j := range row {
			row[j] = float32(rng.NormFloat64())
			squares += float64(row[j]) * float64(row[j])
		}
		scale := float32(1 / math.Sqrt(squares))
		for j := range row {
			row[j] *= scale
		}
	}
	return out
}
