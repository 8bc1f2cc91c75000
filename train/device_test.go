package train

import (
	"testing"

	"revela/internal/fakedevice"
	"revela/internal/ondevice"
	"revela/model"
)

// Training on a device that is not the CPU gives the same numbers, leaves no tensor behind on the CPU (an operation that
// mixes devices fails there) and frees the device's memory.
func TestFixturesOnDevice(t *testing.T) {
	ondevice.Run(t, map[string]func(*testing.T){
		"weights": TestFixtureEmbeddingsAndWeights, "loss and gradients": TestFixtureRevelaLossAndGradients,
		"variants": TestFixtureRevelaVariants, "frozen language model": TestFixtureFrozenLanguageModel, "steps": TestFixtureSteps,
		"infonce": TestInfoNCETrainsTheRetriever, "infonce run": TestFixtureInfoNCERun, "embeddings": TestFixtureFrozenEmbeddings,
		"adapter": TestFixtureAdapterMergedAtLoad, "average": TestFixtureAverageWithStart, "queries": TestFixtureQueryGroups,
		"language model alone": TestFixtureLanguageModelAlone, "evaluation": TestFixtureEvaluateEvery,
	})
}

// A step waits for the device three times: for the pairs that carry weight, the gradient's norm and the loss.
func TestStepReadsFromDevice(t *testing.T) {
	ondevice.Run(t, map[string]func(*testing.T){"step": func(t *testing.T) {
		c := openTiny(t, "tiny-llama")
		stepper, err := NewStepper(c.objective(1), model.Learning(append(model.AllParams(c.models.Retriever), c.models.LM.Params()...)))
		if err != nil {
			t.Fatal(err)
		}
		defer stepper.Free()
		before := fakedevice.Reads()
		if _, err := stepper.Step(c.batch, 1e-4); err != nil {
			t.Fatal(err)
		}
		if reads := fakedevice.Reads() - before; reads != 3 && ondevice.Fake() {
			t.Errorf("a step read %d times from the device, want 3", reads)
		}
	}})
}
