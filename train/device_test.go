package train

import (
	"testing"

	"revela/internal/ondevice"
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
