package model

import (
	"fmt"
	"slices"
	"testing"

	"revela/internal/fixture"
	"revela/torch"
)

// vectorsCase is a retriever, a batch of several slices and the gradient of its vectors.
type vectorsCase struct {
	retriever *Retriever
	batch     *Packed
	gradient  []float32 // [texts, 64]
}

func newVectorsCase(t *testing.T, dropout float64, lengths ...int) vectorsCase {
	m := randomLM(t, dropout)
	c := vectorsCase{&Retriever{Network: m.Decoder, RetrieverSettings: RetrieverSettings{Pooling: PoolMean}}, numbered(lengths...), nil}
	for i := range 64 * len(lengths) {
		c.gradient = append(c.gradient, float32(i%7)-3)
	}
	return c
}

// without returns the case with a gradient of 0 for the texts that are not needed.
func (c vectorsCase) without(needed []bool) vectorsCase {
	c.gradient = slices.Clone(c.gradient)
	for i, n := range needed {
		if !n {
			clear(c.gradient[64*i : 64*(i+1)])
		}
	}
	return c
}

// run returns the vectors and the gradients of the parameters; needed nil leaves Expect out.
func (c vectorsCase) run(t *testing.T, o VectorOptions, needed []bool) ([]float64, map[string][]float64) {
	t.Helper()
	if err := torch.Seed(9); err != nil { // of dropout
		t.Fatal(err)
	}
	o.Learns = true
	v := c.retriever.Vectors(c.batch, o)
	defer v.Close()
	if v.Err() != nil {
		t.Fatal(v.Err())
	}
	if needed != nil {
		v.Expect(needed)
	}
	s := torch.NewScope()
	defer s.Close()
	pooled := fixture.Values(t, v.Pooled)
	if err := v.Backward(torch.From(s, c.gradient, int64(c.batch.Len()), 64)); err != nil {
		t.Fatal(err)
	}
	return pooled, gradients(t, AllParams(c.retriever))
}

// By slices, and of those texts alone that get a gradient, the vectors and gradients are those of one graph of all.
func TestVectorsBySlices(t *testing.T) {
	c := newVectorsCase(t, 0, 400, 30, 700, 90, 1100, 20)
	want, wantGrads := c.run(t, VectorOptions{}, nil)
	got, grads := c.run(t, VectorOptions{Again: true}, nil)
	fixture.Close(t, "vectors", got, want, 1e-5)
	sameGradients(t, "by slices", grads, wantGrads, 1e-4)

	few, many := []bool{false, true, false, true, false, true}, []bool{true, true, true, false, true, false}
	for _, needed := range [][]bool{few, many} {
		part := c.without(needed)
		_, wantGrads = part.run(t, VectorOptions{}, nil)
		for _, again := range []bool{false, true} {
			_, grads = part.run(t, VectorOptions{Again: again}, needed)
			sameGradients(t, fmt.Sprintf("needed %v, again %v", needed, again), grads, wantGrads, 1e-4)
		}
	}
}

// Where no text gets a gradient, that of the parameters is 0, not missing: an optimiser takes a step by it.
func TestVectorsWithoutGradient(t *testing.T) {
	c := newVectorsCase(t, 0, 10, 20)
	for _, again := range []bool{false, true} {
		_, grads := c.run(t, VectorOptions{Again: again}, make([]bool, 2))
		for name, values := range grads {
			if fixture.Largest(values) != 0 {
				t.Errorf("again %v: gradient of %s is not 0", again, name)
			}
		}
	}
}

// Computed again, a text is read through the dropout of the first time.
func TestVectorsRepeatDropout(t *testing.T) {
	c := newVectorsCase(t, 0.3, 300, 500) // one slice, so that both ways draw the same
	want, wantGrads := c.run(t, VectorOptions{Dropout: true}, nil)
	got, grads := c.run(t, VectorOptions{Dropout: true, Again: true}, nil)
	fixture.Close(t, "vectors", got, want, 1e-5)
	sameGradients(t, "one slice", grads, wantGrads, 1e-4)
	if other, _ := c.run(t, VectorOptions{}, nil); slices.Equal(other, got) {
		t.Error("dropout changes nothing")
	}

	// Of several slices, those that are needed.
	c = newVectorsCase(t, 0.3, 700, 600, 900)
	needed := []bool{false, true, false}
	part := c.without(needed)
	_, wantGrads = part.run(t, VectorOptions{Dropout: true, Again: true}, nil)
	_, grads = part.run(t, VectorOptions{Dropout: true, Again: true}, needed)
	sameGradients(t, "a slice of three", grads, wantGrads, 1e-6)
}
