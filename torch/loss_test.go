package torch

import (
	"math"
	"testing"
)

// Of a large vocabulary whose tokens are about equally likely, each term is far below the sum that it is added to.
func TestLinearCrossEntropyOfALargeVocabulary(t *testing.T) {
	s := NewScope()
	defer s.Close()
	s.Fail(Seed(7))
	hidden, weight := s.Randn(Float32, 6, 16), s.Scale(s.Randn(Float32, 150000, 16), 0.02)
	labels := From(s, []int64{0, 149999, 5, 70000, 3, 3}, 6)
	got := s.LinearCrossEntropy(hidden, weight, labels, 4)
	want := s.LinearCrossEntropy(s.To(hidden, Float64), s.To(weight, Float64), labels, 4)
	if s.Err() != nil {
		t.Fatal(s.Err())
	}
	a, b := read(t, got)[0], read(t, want)[0]
	if math.Abs(a-b) > 2e-6*b {
		t.Errorf("loss is %.8f, in fp64 %.8f", a, b)
	}
}
