package bench

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"testing"

	"revela/torch"
)

var nano = StepOptions{Shape: "nano", GroupSize: 6, MaxLen: 64, Steps: 3, DType: torch.Float32, LoRARank: 8, LoRAAlpha: 16, Tau: 0.1}

func stepOf(t *testing.T, o StepOptions) StepResult {
	t.Helper()
	r, err := Step(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// At sizes whose products are cut among threads, the losses are those of one thread to 1e-5.
func TestStepThreads(t *testing.T) {
	before := torch.Threads()
	t.Cleanup(func() { torch.SetThreads(before) })
	torch.SetThreads(1)
	one := stepOf(t, nano).Losses
	torch.SetThreads(2)
	for i, loss := range stepOf(t, nano).Losses {
		if !(math.Abs(loss-one[i]) <= 1e-5*one[i]) {
			t.Errorf("step %d: loss %.9g on two threads, %.9g on one", i+1, loss, one[i])
		}
	}
	if one[0] == one[len(one)-1] {
		t.Errorf("the models do not learn: losses %v", one)
	}
}

// The parts of an observed step are found and add up to it.
func TestBreakdown(t *testing.T) {
	o := nano
	o.Breakdown, o.Trace = true, filepath.Join(t.TempDir(), "step.json")
	r := stepOf(t, o)
	d := r.Breakdown
	if d == nil {
		t.Fatal("no breakdown")
	}
	sum := 0.0
	for name, share := range map[string]float64{"gemm": d.GEMM, "attention": d.Attention, "loss": d.Loss,
		"optimizer": d.Optimizer, "other": d.Other, "between": d.Between} {
		if share <= 0 || share >= 1 {
			t.Errorf("%s has %.3f of the step", name, share)
		}
		sum += share
	}
	if math.Abs(sum-1) > 1e-6 {
		t.Errorf("parts add up to %.6f of the step", sum)
	}
	if d.FLOPs <= 0 || d.PeakShare <= 0 || d.PeakShare > 1 || d.Host <= 0 || len(d.Largest) == 0 {
		t.Errorf("got %+v", d)
	}
	if info, err := os.Stat(o.Trace); err != nil || info.Size() == 0 {
		t.Errorf("no time line: %v", err)
	}
	if plain := stepOf(t, nano); plain.Breakdown != nil || plain.Losses[2] != r.Losses[2] {
		t.Errorf("losses %v, observed %v", plain.Losses, r.Losses)
	}
}

func TestPartOf(t *testing.T) {
	for want, paths := range map[string][][]string{
		"gemm":      {{"linear", "aten::linear", "aten::mm"}, {"lora_linear", "aten::addmm_"}, {"backward", "MmBackward0", "aten::mm"}},
		"attention": {{"attention"}, {"attention", "aten::bmm"}, {"backward", "torch::autograd::CppNode<(anonymous namespace)::PackedAttention>", "aten::mm"}},
		"loss":      {{"linear_cross_entropy", "aten::mm"}, {"backward", "torch::autograd::CppNode<(anonymous namespace)::LinearCrossEntropy>"}},
		"optimizer": {{"adamw"}, {"gradient norm", "aten::_foreach_norm"}},
		"between":   {{"backward"}},
		"other":     {{"rms_norm"}, {"gated_mlp_linear"}, {"add", "aten::add"}, {"backward", "AddBackward0"}},
	} {
		for _, path := range paths {
			if got := partOf(path); got != want {
				t.Errorf("%v belongs to %s, want %s", path, got, want)
			}
		}
	}
}
