package model

import (
	"slices"
	"testing"

	"revela/internal/fixture"
	"revela/model/checkpoint"
	"revela/torch"
)

// randomLM is a small decoder with LoRA, the same for a seed.
func randomLM(t *testing.T, dropout float64) *LanguageModel {
	t.Helper()
	if err := torch.Seed(5); err != nil {
		t.Fatal(err)
	}
	c, err := checkpoint.ParseConfig("random", []byte(`{"model_type": "llama", "architectures": ["LlamaForCausalLM"],
		"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2,
		"intermediate_size": 96, "vocab_size": 200, "tie_word_embeddings": true}`))
	if err != nil {
		t.Fatal(err)
	}
	m, err := RandomLanguageModel(c, Options{Compute: torch.Float32})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Free)
	if err := AddLoRA(m.Decoder, LoRAOptions{Rank: 4, Alpha: 8, Dropout: dropout}, 1); err != nil {
		t.Fatal(err)
	}
	s := torch.NewScope()
	defer s.Close()
	for _, p := range Learning(AllParams(m)) { // B begins as 0 and would hide the gradients of A
		p.replace(s.Keep(s.Scale(s.Randn(torch.Float32, p.Shape...), 0.1)), torch.Tensor{}, false)
		s.Fail(p.Learn(true))
	}
	if s.Err() != nil {
		t.Fatal(s.Err())
	}
	return m
}

// numbered are sequences of the given lengths, all different.
func numbered(lengths ...int) *Packed {
	var sequences [][]int32
	for i, n := range lengths {
		ids := make([]int32, n)
		for j := range ids {
			ids[j] = int32(5 + (7*i+3*j+i*j)%190)
		}
		sequences = append(sequences, ids)
	}
	return Pack(sequences)
}

// gradients takes the gradients of the parameters that learn, by name, and drops them.
func gradients(t *testing.T, params []*Param) map[string][]float64 {
	t.Helper()
	found := map[string][]float64{}
	for _, p := range Learning(params) {
		if !p.Grad.Defined() {
			t.Fatalf("%s has no gradient", p.Name)
		}
		found[p.Name] = fixture.Values(t, p.Grad)
		p.ZeroGrad()
	}
	return found
}

func sameGradients(t *testing.T, what string, got, want map[string][]float64, tolerance float64) {
	t.Helper()
	for name, values := range want {
		largest := fixture.Largest(values)
		if largest == 0 {
			t.Errorf("%s: gradient of %s is 0", what, name)
		}
		fixture.Close(t, what+": "+name, got[name], values, tolerance*largest)
	}
}

// A text that no query reads is left out of pass 1: loss and gradients are those of reading it with a weight of 0.
func TestUnreadTextsAreLeftOut(t *testing.T) {
	m := randomLM(t, 0)
	texts := numbered(12, 5, 20, 9)
	for _, detach := range []bool{false, true} {
		run := func(weights []float32, pairs []torch.Pair) (float64, []float64, map[string][]float64) {
			c := NewChain()
			defer c.Close()
			c.Shared, c.SharedLearns = c.Scope().Leaf(torch.From(c.Scope(), weights, int64(len(weights)))), true
			targets, err := NextTokens(texts, -1)
			if err != nil {
				t.Fatal(err)
			}
			loss := m.JointLoss(c, Joint{Texts: texts, Queries: texts, Targets: targets, Pairs: pairs, ValueNorm: true, Detach: detach})
			value, err := loss.Float()
			if err != nil {
				t.Fatal(c.Err())
			}
			shared := fixture.Values(t, c.Backward(torch.From(c.Scope(), []float32{1})))
			if c.Err() != nil {
				t.Fatal(c.Err())
			}
			return value, shared, gradients(t, AllParams(m))
		}
		matrix := []float32{0, 0, 1, 0, 0, 0, 0.25, 0.75, 0, 0, 0, 1, 0, 0, 1, 0} // texts 0 and 1 are read by none
		pairs, at := Pairs(matrix, texts, texts)
		var read []float32
		for _, i := range at {
			read = append(read, matrix[i])
		}
		loss, shared, grads := run(read, pairs)
		all := slices.Clone(pairs)
		for _, unread := range []int{0, 1} {
			all = append(all, torch.Pair{Query: texts.Starts[3], QueryLen: texts.Lens[3], Key: texts.Starts[unread], KeyLen: texts.Lens[unread]})
		}
		if kept, _ := Attended(texts, pairs); kept.Len() != 2 {
			t.Fatalf("%d texts are read, want 2", kept.Len())
		}
		wantLoss, wantShared, wantGrads := run(append(read, 0, 0), all)
		fixture.Close(t, "loss", []float64{loss}, []float64{wantLoss}, 1e-6)
		fixture.Close(t, "gradient of the weights", shared, wantShared[:len(shared)], 1e-6)
		sameGradients(t, "language model", grads, wantGrads, 1e-5)
	}
}

// Whose vectors get a gradient.
func TestLearningVectors(t *testing.T) {
	weights := []float32{
		0, 1, 0, 0,
		0.5, 0, 0, 0.5,
		0, 0, 0, 1,
	}
	got := LearningVectors(weights, 3, 4)
	if want := []bool{false, true, false, true, false, false, true}; !slices.Equal(got, want) {
		t.Errorf("learning %v, want %v", got, want)
	}
}
