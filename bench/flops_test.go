package bench

import (
	"context"
	"testing"

	"revela/model"
	"revela/torch"
)

// One layer, counted by hand.
func TestLayerFlops(t *testing.T) {
	weight := func(out, in int64, learns bool) *model.Param {
		return &model.Param{Shape: []int64{out, in}, Learns: learns}
	}
	lora := &model.LoRA{A: weight(2, 10, true), B: weight(20, 2, true)}
	for name, test := range map[string]struct {
		layer *model.Linear
		input bool
		dtype torch.DType
		want  float64
	}{
		"frozen":            {&model.Linear{Weight: weight(20, 10, false)}, true, torch.Float32, 2 * 2 * 100 * 200},
		"frozen, no input":  {&model.Linear{Weight: weight(20, 10, false)}, false, torch.Float32, 2 * 100 * 200},
		"learns":            {&model.Linear{Weight: weight(20, 10, true)}, true, torch.Float32, 3 * 2 * 100 * 200},
		"LoRA in bf16":      {&model.Linear{Weight: weight(20, 10, false), LoRA: lora}, true, torch.BFloat16, 2*2*100*200 + 3*2*100*2*(10+20)},
		"LoRA apart":        {&model.Linear{Weight: weight(20, 10, false), LoRA: lora}, true, torch.Float32, 2*2*100*200 + 3*2*100*2*(10+20)},
		"LoRA of high rank": {&model.Linear{Weight: weight(20, 10, false), LoRA: &model.LoRA{A: weight(50, 10, true), B: weight(20, 50, true)}}, true, torch.Float32, 3*2*100*200 + 3*2*20*50*10},
	} {
		if got := LayerFlops(test.layer, 100, test.input, test.dtype); got != test.want {
			t.Errorf("%s: %g operations, want %g", name, got, test.want)
		}
	}
}

// A whole step: weights on more pairs cost attention, the keys and values of more texts, and the retriever's way back.
func TestCountFlops(t *testing.T) {
	run, err := newStepRun(context.Background(), nano)
	if err != nil {
		t.Fatal(err)
	}
	defer run.free()
	count := func(tau float64) flops {
		run.objective.Similarity.Temperature = tau
		pairs, learning, err := run.objective.Sparsity(run.last())
		if err != nil {
			t.Fatal(err)
		}
		return countFlops(run.models, run.last(), pairs, learning, torch.BFloat16)
	}
	sparse, dense := count(1e-6), count(1)
	if sparse.Linear >= dense.Linear || sparse.Loss != dense.Loss || dense.Attention <= sparse.Attention {
		t.Errorf("%+v with one pair a text, %+v with all", sparse, dense)
	}
	n := float64(run.last().LMTexts.Tokens())
	if want := 2 * 2 * (n - 6) * 600 * 64; sparse.Loss != want {
		t.Errorf("loss %g operations, want %g", sparse.Loss, want)
	}
	// A token of nano alone: 3 layers of q, k, v, o and three of the MLP, LoRA of rank 8, and attention to itself.
	one := forwardFlops(run.models.Retriever.Network, model.Pack([][]int32{{5}}))
	if want := float64(3 * 2 * (64*(64+32+32+64) + 3*64*128 + 8*1024 + 2*64)); one != want {
		t.Errorf("encoding a token: %g operations, want %g", one, want)
	}
}
