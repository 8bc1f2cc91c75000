package train

import (
	"runtime"
	"testing"

	"revela/model"
)

// Go's part of a step is bookkeeping: how often it allocates depends on layers and texts, never on tokens, and what
// grows with tokens are lists of ids, positions and targets, made once a step and not once a layer.
func TestFixtureStepAllocations(t *testing.T) {
	const short, long, bytesPerToken = 8, 32, 60
	for _, name := range tinyCases {
		t.Run(name, func(t *testing.T) {
			c := openTiny(t, name)
			fewer, small := c.allocations(t, short)
			more, large := c.allocations(t, long)
			tokens := 3 * 4 * (long - short) // of queries, texts and chunks, 4 each
			t.Logf("%d allocations of %d bytes, with %d tokens more %d of %d", fewer, small, tokens, more, large)
			if more > fewer+fewer/50 {
				t.Errorf("%d allocations for texts of %d tokens, %d for %d", more, long, fewer, short)
			}
			if large > small+uint64(tokens*bytesPerToken) {
				t.Errorf("%d bytes for texts of %d tokens, %d for %d: more than %d bytes a token", large, long, small, short, bytesPerToken)
			}
		})
	}
}

// allocations counts those of one step over four texts of so many tokens, and their bytes: the least of some steps, for
// other goroutines and the growth of lists add to it now and then.
func (c *tinyCase) allocations(t *testing.T, tokens int) (count, bytes uint64) {
	t.Helper()
	sequences := make([][]int32, 4)
	for i := range sequences {
		for j := range tokens {
			sequences[i] = append(sequences[i], int32(5+(7*i+j)%20))
		}
	}
	targets, err := model.NextTokens(model.Pack(sequences), -1)
	if err != nil {
		t.Fatal(err)
	}
	b := &Batch{Queries: model.Pack(sequences), Texts: model.Pack(sequences), LMTexts: model.Pack(sequences), Targets: targets}
	b.LMQueries = b.LMTexts
	stepper, err := NewStepper(c.objective(0.1), append(model.AllParams(c.models.Retriever), c.models.LM.Params()...))
	if err != nil {
		t.Fatal(err)
	}
	defer stepper.Free()
	for range 5 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := stepper.Step(b, 1e-5); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		n, size := after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc
		if count == 0 || n < count {
			count, bytes = n, size
		}
	}
	return count, bytes
}
