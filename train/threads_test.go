package train

import (
	"math"
	"slices"
	"testing"

	"revela/model"
	"revela/torch"
)

// The losses of several steps at the paper's learning rate do not depend on the number of threads: sums are cut in other
// places, so that last digits differ. At its temperature the similarities' last digit counts 10,000 times.
func TestFixtureThreads(t *testing.T) {
	before := torch.Threads()
	t.Cleanup(func() { torch.SetThreads(before) })
	for _, name := range tinyCases {
		for _, tau := range []float64{1e-4, 0.1} {
			one := lossesOnThreads(t, name, tau, 1)
			for _, threads := range []int{2, 3} {
				losses := lossesOnThreads(t, name, tau, threads)
				worst := 0.0
				for i, loss := range losses {
					worst = max(worst, math.Abs(loss-one[i])/one[i])
				}
				t.Logf("%s, τ %g, %d threads: losses differ by %.1e of their size", name, tau, threads, worst)
				if !(worst <= 1e-5) {
					t.Errorf("%s, τ %g: losses %v on %d threads, %v on one", name, tau, losses, threads, one)
				}
			}
			if slices.Min(one) == slices.Max(one) {
				t.Errorf("%s: the model does not learn: losses %v", name, one)
			}
		}
	}
}

// lossesOnThreads trains a fixture's models from their start.
func lossesOnThreads(t *testing.T, name string, tau float64, threads int) []float64 {
	t.Helper()
	torch.SetThreads(threads)
	c := openTiny(t, name)
	stepper, err := NewStepper(c.objective(tau), append(model.AllParams(c.models.Retriever), c.models.LM.Params()...))
	if err != nil {
		t.Fatal(err)
	}
	defer stepper.Free()
	var losses []float64
	for range 5 {
		result, err := stepper.Step(c.batch, 1e-4)
		if err != nil {
			t.Fatal(err)
		}
		losses = append(losses, result.Loss)
	}
	return losses
}
