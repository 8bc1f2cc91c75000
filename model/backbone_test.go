package model

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"revela/internal/testdata"
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
	root := filepath.Join(testdata.Fixtures(t), "backbones")
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
			dir := filepath.Join(root, e.Name())
			c, err := checkpoint.ReadConfig(dir)
			if err != nil {
				t.Skipf("architecture not supported yet: %v", err)
			}
			if !slices.Contains(Supported(), c.ModelType) {
				t.Skipf("architecture %s is not supported yet", c.ModelType)
			}
			checkBackbone(t, dir, torch.Float32)
			ran++
		})
	}
	if ran == 0 {
		t.Errorf("no backbone in %s was checked", root)
	}
}

func TestFixtureBackboneInBFloat16(t *testing.T) {
	checkBackbone(t, filepath.Join(testdata.Fixtures(t), "backbones", "qwen2-sharded-bf16"), torch.BFloat16)
}

func checkBackbone(t *testing.T, dir string, dtype torch.DType) {
	var inputs map[string]backboneInput
	readJSON(t, &inputs, dir, "input_ids.json")
	packed, mask := inputs["right"].pack()
	expected := openFixture(t, dir[len(testdata.Fixtures(t)):], "expected.safetensors")
	s := torch.NewScope()
	defer s.Close()
	net, head := loadEither(t, dir, dtype)
	defer net.Free()

	prefix, check := "right.", func(name string, got torch.Tensor) { compareRows(t, expected, name, got, mask, 2e-5) }
	if dtype == torch.BFloat16 {
		prefix, check = "bf16.right.", func(name string, got torch.Tensor) { compareMean(t, expected, name, got, mask) }
	}
	torch.NoGrad(func() {
		prepared := net.Prepare(s, packed)
		call := Call{Prepared: prepared, Attend: selfAttention(prepared.Pairs, net.Causal())}
		x := net.Embed(s, packed)
		for i := range net.Depth() {
			if name := fmt.Sprintf("%shidden_states.%d", prefix, i); expected.has(name) {
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

func compareRows(t *testing.T, f fixture, name string, got torch.Tensor, mask []int64, tolerance float64) {
	t.Helper()
	g := values(t, got)
	want := f.values(name)
	width := len(want) / len(mask)
	d := largest(t, g, rows(want, mask, width))
	t.Logf("%s: largest difference %.1e", name, d)
	if d > tolerance {
		t.Errorf("%s differs by %.2e, at most %.0e allowed", name, d, tolerance)
	}
}

func compareMean(t *testing.T, f fixture, name string, got torch.Tensor, mask []int64) {
	t.Helper()
	g, want := values(t, got), f.values(name)
	want = rows(want, mask, len(want)/len(mask))
	sum := 0.0
	for i := range g {
		sum += max(g[i]-want[i], want[i]-g[i])
	}
	if mean := sum / float64(len(g)); !(mean <= 1e-2) {
		t.Errorf("%s differs by %.2e in the mean, at most 1e-2 allowed", name, mean)
	}
}
