package model

import (
	"math"
	"slices"
	"testing"

	"revela/internal/fixture"
	"revela/torch"
)

func loadNetwork(t *testing.T, dtype torch.DType, elem ...string) Network {
	t.Helper()
	n, err := Load(fixture.Path(t, elem...), Options{Compute: dtype})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Free)
	return n
}

func loadLM(t *testing.T, elem ...string) *LanguageModel {
	t.Helper()
	m, err := LoadLanguageModel(fixture.Path(t, elem...), Options{Compute: torch.Float32})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Free)
	return m
}

func loadAdapter(t *testing.T, n Network, elem ...string) LoRAOptions {
	t.Helper()
	o, err := LoadAdapter(n, fixture.Path(t, elem...), true)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// someTokens is a batch of small token ids.
func someTokens() *Packed {
	return Pack([][]int32{{1, 5, 9, 14, 40, 41, 42, 7}, {2, 3, 90}, {60, 61, 62, 63, 1}})
}

// results are the hidden states of someTokens after the last layer, or the logits where there is a head.
func results(t *testing.T, n Network) []float64 {
	t.Helper()
	c := NewChain()
	defer c.Close()
	c.NoGrad = true
	x := Run(c, n, someTokens(), false)
	s := c.Scope()
	torch.NoGrad(func() {
		if lm, ok := n.(*LanguageModel); ok {
			x = lm.Logits(s, x)
		} else {
			x = n.Final(s, x)
		}
	})
	if s.Err() != nil {
		t.Fatal(s.Err())
	}
	return fixture.Values(t, x)
}

func wantMessage(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Errorf("error is\n%v\nwant\n%s", err, want)
	}
}

func TestAddLoRAStartsFromTheSameResults(t *testing.T) {
	for _, name := range []string{"llama", "bert", "qwen3"} {
		n := loadNetwork(t, torch.Float32, "backbones", name)
		before := results(t, n)
		if err := AddLoRA(n, LoRAOptions{Rank: 4, Alpha: 8}, 1); err != nil {
			t.Fatal(err)
		}
		fixture.Close(t, name, results(t, n), before, 0)
		if params, want := LoRAParams(n), 2*len(n.Linears()); len(params) != want || len(Learning(AllParams(n))) != want {
			t.Errorf("%s: %d parameters of LoRA, %d learn, want %d", name, len(params), len(Learning(AllParams(n))), want)
		}
	}
}

func TestAddLoRADrawsKaimingUniform(t *testing.T) {
	layers := 0
	draw := func(seed uint64, targets ...string) map[string][]float64 {
		n := loadNetwork(t, torch.BFloat16, "tiny-llama", "retriever")
		if err := AddLoRA(n, LoRAOptions{Rank: 16, Alpha: 8, Targets: targets}, seed); err != nil {
			t.Fatal(err)
		}
		layers = n.Depth()
		values := map[string][]float64{}
		for _, p := range LoRAParams(n) {
			values[p.Name] = fixture.Values(t, p.Value)
			if in, bound := p.Shape[1], fixture.Largest(values[p.Name]); p.Shape[0] == 16 {
				checkUniform(t, p.Name, values[p.Name], 1/math.Sqrt(float64(in)))
			} else if bound != 0 {
				t.Errorf("%s is not zero", p.Name)
			}
		}
		return values
	}
	const name = "base_model.model.layers.1.self_attn.v_proj.lora_A.weight"
	all, again, other := draw(7), draw(7, "mlp.up_proj", "v_proj"), draw(8)
	if len(all) != 14*layers || len(again) != 4*layers {
		t.Errorf("%d and %d parameters in %d layers, want 14 and 4 in each", len(all), len(again), layers)
	}
	if !slices.Equal(all[name], again[name]) {
		t.Errorf("%s depends on what else is drawn", name)
	}
	if slices.Equal(all[name], other[name]) || slices.Equal(all[name], all["base_model.model.layers.2.self_attn.v_proj.lora_A.weight"]) {
		t.Errorf("%s is the same for another seed or layer", name)
	}
}

func checkUniform(t *testing.T, name string, values []float64, bound float64) {
	t.Helper()
	square := 0.0
	for _, v := range values {
		square += v * v
	}
	deviation := math.Sqrt(square / float64(len(values)))
	if most := fixture.Largest(values); most > bound || most < 0.95*bound || math.Abs(deviation/bound-1/math.Sqrt(3)) > 0.05 {
		t.Errorf("%s: deviation %g, largest %g; not uniform over ±%g", name, deviation, most, bound)
	}
}

func TestAddLoRAErrors(t *testing.T) {
	n, bert := loadNetwork(t, torch.Float32, "backbones", "llama"), loadNetwork(t, torch.Float32, "backbones", "bert")
	wantMessage(t, AddLoRA(n, LoRAOptions{Rank: 0, Alpha: 1}, 1), "add LoRA: rank 0 found, a positive integer expected")
	wantMessage(t, AddLoRA(n, LoRAOptions{Rank: 2, Alpha: 1, Targets: []string{"q_proj", "embed_tokens"}}, 1),
		`add LoRA: target "embed_tokens" is no linear layer of this network; it has down_proj, gate_proj, k_proj, o_proj, q_proj, up_proj, v_proj`)
	wantMessage(t, AddLoRA(bert, LoRAOptions{Rank: 2, Alpha: 1, Targets: []string{"proj"}}, 1),
		`add LoRA: target "proj" is no linear layer of this network; it has attention.output.dense, intermediate.dense, key, output.dense, query, value`)
	for _, want := range []string{"", "layer layers.0.self_attn.q_proj has LoRA already"} {
		if err := AddLoRA(n, LoRAOptions{Rank: 2, Alpha: 1, Targets: []string{"q_proj"}}, 1); want != "" {
			wantMessage(t, err, want)
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if len(LoRAParams(bert)) != 0 {
		t.Error("LoRA was added in spite of an error")
	}
}

func TestFixtureMergedNetworkEqualsAdapter(t *testing.T) {
	retriever, lm := loadNetwork(t, torch.Float32, "tiny-qwen2", "retriever"), loadLM(t, "tiny-qwen2", "lm")
	for name, n := range map[string]Network{"retriever": retriever, "lm": lm} {
		before := results(t, n)
		loadAdapter(t, n, "lora-steps-qwen2", "step-20", name)
		with := results(t, n)
		if d := fixture.Difference(t, with, before); d < 1e-3 {
			t.Errorf("%s: the adapter changes results by %g alone", name, d)
		}
		if err := MergeAdapter(n); err != nil {
			t.Fatal(err)
		}
		fixture.Close(t, name+" merged", results(t, n), with, 1e-5)
		if len(LoRAParams(n)) != 0 || len(Learning(AllParams(n))) != 0 {
			t.Errorf("%s: LoRA is still there", name)
		}
	}
}

// A weight that learns keeps its handle, which the optimiser may hold.
func TestFixtureMergeIntoWeightsThatLearn(t *testing.T) {
	dir := fixture.Path(t, "tiny-qwen2", "retriever")
	n, err := Load(dir, Options{Compute: torch.Float32, Learns: func(string) bool { return true }})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Free()
	loadAdapter(t, n, "lora-steps-qwen2", "step-20", "retriever")
	frozen := loadNetwork(t, torch.Float32, "tiny-qwen2", "retriever")
	loadAdapter(t, frozen, "lora-steps-qwen2", "step-20", "retriever")
	with, handle := results(t, frozen), n.Linears()["layers.0.mlp.up_proj"].Weight.Value
	if err := MergeAdapter(n); err != nil {
		t.Fatal(err)
	}
	fixture.Close(t, "merged", results(t, n), with, 1e-5)
	if n.Linears()["layers.0.mlp.up_proj"].Weight.Value != handle || len(Learning(AllParams(n))) != len(AllParams(n)) {
		t.Error("merging replaced weights that learn")
	}
}

func TestFixtureFrozenAdapterComputesInItsType(t *testing.T) {
	n := loadNetwork(t, torch.BFloat16, "tiny-llama", "retriever")
	if _, err := LoadAdapter(n, fixture.Path(t, "lora-steps-llama", "step-20", "retriever"), false); err != nil {
		t.Fatal(err)
	}
	frozen := results(t, n)
	learning := loadNetwork(t, torch.BFloat16, "tiny-llama", "retriever")
	loadAdapter(t, learning, "lora-steps-llama", "step-20", "retriever")
	fixture.Close(t, "frozen", frozen, results(t, learning), 0)
	if len(Learning(AllParams(n))) != 0 {
		t.Error("a frozen adapter learns")
	}
}
