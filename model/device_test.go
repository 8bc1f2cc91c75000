package model

import (
	"testing"

	"revela/internal/ondevice"
)

// Networks give the same numbers on a device that is not the CPU, adapters and exports included. The fixture in bf16 is not
// among them: its roundings are those of transformers' eager attention, and flash attention has fewer.
func TestFixturesOnDevice(t *testing.T) {
	ondevice.Run(t, map[string]func(*testing.T){
		"backbones": TestFixtureBackbones, "joint": TestFixtureJointLayers,
		"similarity": TestFixtureSimilarityInBFloat16, "merged": TestFixtureMergedNetworkEqualsAdapter,
		"adapter": TestFixtureAdapterRoundTrip, "frozen adapter": TestFixtureFrozenAdapterComputesInItsType,
		"export": TestFixtureExportReloads, "average": TestFixtureAverage, "SmolLM2": TestDataSmolLM2,
	})
}
