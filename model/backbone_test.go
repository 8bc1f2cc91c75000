package model

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"revela/internal/fixture"
	"revela/model/checkpoint"
	"revela/torch"
)

type backboneInput struct {
	InputIDs      [][]int64 `json:"input_ids"`
	AttentionMask [][]int64 `json:"attention_mask"`
	TokenTypeIDs  [][]int64 `json:"token_type_ids"`
}

// pack keeps the real tokens. Positions count from the first column, padding or not, so that only right padding can be
// dropped; left-padded rows are skipped by the caller.
func (in backboneInput) pack() (p *Packed, mask []int64) {
	var sequences [][]int32
	for i, ids := range in.InputIDs {
		var s []int32
		for j, id := range ids {
			if in.AttentionMask[i][j] == 1 {
				s = append(s, int32(id))
			}
		}
		sequences = append(sequences, s)
		mask = append(mask, in.AttentionMask[i]...)
	}
	p = Pack(sequences)
	for i, types := range in.TokenTypeIDs {
		for j, kind := range types {
			if in.AttentionMask[i][j] == 1 {
				p.Types = append(p.Types, kind)
			}
		}
	}
	return p, mask
}

func TestFixtureBackbones(t *testing.T) {
	root := fixture.Path(t, "backbones")
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		t.Run(e.Name(), func(t *testing.T) {
			c, err := checkpoint.ReadConfig(filepath.Join(root, e.Name()))
			if err != nil {
				t.Skipf("architecture not supported yet: %v", err)
			}
			if !slices.Contains(Supported(), c.ModelType) {
				t.Skipf("architecture %s is not supported yet", c.ModelType)
			}
			checkBackbone(t, e.Name(), torch.Float32)
			ran++
		})
	}
	if ran == 0 {
		t.Errorf("no backbone in %s was checked", root)
	}
}

func TestFixtureBackboneInBFloat16(t *testing.T) {
	checkBackbone(t, "qwen2-sharded-bf16", torch.BFloat16)
}

func checkBackbone(t *testing.T, name string, dtype torch.DType) {
	var inputs map[string]backboneInput
	fixture.ReadJSON(t, &inputs, "backbones", name, "input_ids.json")
	packed, mask := inputs["right"].pack()
	expected := fixture.Open(t, "backbones", name, "expected.safetensors")
	s := torch.NewScope()
	defer s.Close()
	net, head := loadEither(t, fixture.Path(t, "backbones", name), dtype)
	defer net.Free()

	prefix := "right."
	check := func(name string, got torch.Tensor) {
		fixture.Close(t, name, fixture.Values(t, got), fixture.RealRows(expected.Values(name), mask), 2e-5)
	}
	if dtype == torch.BFloat16 {
		prefix = "bf16.right."
		check = func(name string, got torch.Tensor) {
			meanClose(t, name, fixture.Values(t, got), fixture.RealRows(expected.Values(name), mask), 1e-2)
		}
	}
	torch.NoGrad(func() {
		prepared := net.Prepare(s, packed)
		call := Call{Prepared: prepared, Attend: selfAttention(prepared.Pairs, net.Causal())}
		x := net.Embed(s, packed)
		for i := range net.Depth() {
			if name := fmt.Sprintf("%shidden_states.%d", prefix, i); expected.Has(name) {
				check(name, x)
			}
			x = net.Layer(s, i, x, call)
		}
		check(prefix+"last_hidden_state", net.Final(s, x))
		if head != nil {
			check(prefix+"logits", head.Logits(s, x))
		}
	})
	if s.Err() != nil {
		t.Fatal(s.Err())
	}
}

func loadEither(t *testing.T, dir string, dtype torch.DType) (Network, *LanguageModel) {
	t.Helper()
	o := Options{Compute: dtype}
	c, err := checkpoint.ReadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	if c.ModelType == "bert" {
		net, err := Load(dir, o)
		if err != nil {
			t.Fatal(err)
		}
		return net, nil
	}
	m, err := LoadLanguageModel(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return m.Decoder, m
}

func meanClose(t *testing.T, name string, got, want []float64, tolerance float64) {
	t.Helper()
	sum := 0.0
	for i := range want {
		sum += math.Abs(got[i] - want[i])
	}
	mean := sum / float64(len(want))
	t.Logf("%s: mean difference %.1e", name, mean)
	if !(mean <= tolerance) {
		t.Errorf("%s differs by %.2e in the mean, at most %.0e allowed", name, mean, tolerance)
	}
}
