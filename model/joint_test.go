package model

import (
	"fmt"
	"testing"

	"revela/internal/fixture"
	"revela/torch"
)

// TestFixtureJointLayers looks into the layers: keys and values of pass 1, attention outputs and logits of pass 2.
func TestFixtureJointLayers(t *testing.T) {
	for _, name := range []string{"tiny-llama", "tiny-qwen2"} {
		t.Run(name, func(t *testing.T) { checkJointLayers(t, name) })
	}
}

func checkJointLayers(t *testing.T, name string) {
	golden, inputs := fixture.Open(t, name, "expected.safetensors"), fixture.Open(t, name, "inputs.safetensors")
	m, err := LoadLanguageModel(fixture.Path(t, name, "lm"), Options{Compute: torch.Float32})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Free()
	mask := inputs.Ints("lm.attention_mask")
	batch := unpad(inputs.Ints("lm.input_ids"), mask, 32)
	c := NewChain()
	defer c.Close()
	s := c.Scope()
	weights := golden.Values("weights.tau_0.05.exclude_diagonal")
	narrow := make([]float32, len(weights))
	for i, w := range weights {
		narrow[i] = float32(w)
	}
	pairs, index := Pairs(narrow, batch, batch)
	j := Joint{Texts: batch, Queries: batch, Pairs: pairs, ValueNorm: true}
	c.Shared = s.IndexSelect(torch.From(s, narrow, int64(len(narrow))), 0, torch.From(s, index, int64(len(index))))

	texts := batch.Tokens()
	close := func(key string, got torch.Tensor, want []float64) {
		fixture.Close(t, key, fixture.Values(t, got), want, 1e-4)
	}
	real := func(key string) []float64 { return fixture.RealRows(golden.Values(key), mask) }
	torch.NoGrad(func() {
		both := Join(batch, batch)
		prepared := m.Prepare(s, both)
		x := m.Embed(s, both)
		for i := range m.Depth() {
			attend := j.lockstep(c, prepared.Pairs, texts, 0)
			call := Call{Prepared: prepared, Attend: func(s *torch.Scope, layer int, q, k, v torch.Tensor, window int64) torch.Tensor {
				out := attend(s, layer, q, k, v, window)
				close(fmt.Sprintf("key %d", i), s.Narrow(k, 0, 0, texts), headsLast(golden.Values(fmt.Sprintf("pass1.layers.%d.key", i)), mask, s.Shape(k)))
				close(fmt.Sprintf("value %d", i), s.Narrow(v, 0, 0, texts), headsLast(golden.Values(fmt.Sprintf("pass1.layers.%d.value", i)), mask, s.Shape(v)))
				second := s.Reshape(s.Narrow(out, 0, texts, texts), texts, -1)
				if i == 0 {
					close("before_o_proj", second, real("pass2.layers.0.before_o_proj"))
				}
				close(fmt.Sprintf("self_attn_output %d", i), m.layers[i].o.Forward(s, second, false), real(fmt.Sprintf("pass2.layers.%d.self_attn_output", i)))
				return out
			}}
			x = m.Layer(s, i, x, call)
		}
		close("logits", m.Logits(s, s.Narrow(x, 0, texts, texts)), real("pass2.logits"))
	})
	if c.Err() != nil {
		t.Fatal(c.Err())
	}
}

// headsLast turns padded [sequences, heads, length, Dh] into packed [tokens, heads, Dh].
func headsLast(padded []float64, mask []int64, shape []int64) []float64 {
	heads, dh := int(shape[1]), int(shape[2])
	length := len(padded) / (heads * dh) / (len(mask) / 32) // 32 positions a sequence
	var packed []float64
	for at, real := range mask {
		if real == 0 {
			continue
		}
		sequence, position := at/length, at%length
		for h := range heads {
			from := ((sequence*heads+h)*length + position) * dh
			packed = append(packed, padded[from:from+dh]...)
		}
	}
	return packed
}

// unpad makes a packed batch of right-padded ids [n, length].
func unpad(ids, mask []int64, length int) *Packed {
	var sequences [][]int32
	for at := 0; at < len(ids); at += length {
		var s []int32
		for i := at; i < at+length; i++ {
			if mask[i] == 1 {
				s = append(s, int32(ids[i]))
			}
		}
		sequences = append(sequences, s)
	}
	return Pack(sequences)
}
