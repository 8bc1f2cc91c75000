package model

import (
	"testing"

	"revela/internal/ondevice"
	"revela/torch"
)

// Networks give the same numbers on a device that is not the CPU, adapters and exports included. The fixture in bf16 is not
// among them: its roundings are those of transformers' eager attention, and flash attention has fewer.
func TestFixturesOnDevice(t *testing.T) {
	ondevice.Run(t, map[string]func(*testing.T){
		"backbones": TestFixtureBackbones, "joint": TestFixtureJointLayers,
		"similarity": TestFixtureSimilarityInBFloat16, "merged": TestFixtureMergedNetworkEqualsAdapter,
		"adapter": TestFixtureAdapterRoundTrip, "frozen adapter": TestFixtureFrozenAdapterComputesInItsType,
		"export": TestFixtureExportReloads, "average": TestFixtureAverage, "SmolLM2": TestDataSmolLM2,
		"casts": factorsAreCastAnew,
	})
}

// Factors of LoRA are brought into bf16 for all layers at once, anew when they have changed, and never used when they are out of date.
func factorsAreCastAnew(t *testing.T) {
	n := loadNetwork(t, torch.BFloat16, "backbones", "llama")
	if err := AddLoRA(n, LoRAOptions{Rank: 4, Alpha: 8}, 1); err != nil {
		t.Fatal(err)
	}
	factor := LoRAParams(n)[0]
	for range 2 {
		if factor.castNow().Defined() {
			t.Fatal("a cast of values that have changed is used")
		}
		if err := castAll(LoRAParams(n)); err != nil {
			t.Fatal(err)
		}
		s := torch.NewScope()
		want, got := s.To(s.Detach(factor.Value), torch.BFloat16), factor.castNow()
		if !got.Defined() {
			t.Fatal("there is no cast")
		}
		off := s.Add(want, s.Scale(got, -1))
		if d, err := s.Sum(s.Mul(off, off)).Float(); err != nil || d != 0 {
			t.Errorf("casts are off by %g: %v", d, err)
		}
		s.Close()
		if err := torch.ScaleAll([]torch.Tensor{factor.Value}, 0.5); err != nil {
			t.Fatal(err)
		}
	}
}
