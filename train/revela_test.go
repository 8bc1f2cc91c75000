package train

import (
	"slices"
	"strings"
	"testing"

	"revela/internal/fixture"
	"revela/model"
	"revela/torch"
)

var tinyCases = []string{"tiny-llama", "tiny-qwen2", "tiny-mixed"}

func TestFixtureTokenIDs(t *testing.T) {
	for _, name := range tinyCases {
		t.Run(name, func(t *testing.T) {
			c := openTiny(t, name)
			golden := fixture.Open(t, name, "inputs.safetensors")
			for key, got := range map[string]*model.Packed{"passage": c.batch.Texts, "query": c.batch.Queries,
				"query_first_half": c.halved.Queries, "lm": c.batch.LMTexts} {
				ids, mask := golden.Ints(key+".input_ids"), golden.Ints(key+".attention_mask")
				var want []int64
				for i, m := range mask {
					if m == 1 {
						want = append(want, ids[i])
					}
				}
				if !slices.Equal(got.IDs, want) {
					t.Errorf("%s: ids %v, want %v", key, got.IDs, want)
				}
			}
		})
	}
}

func TestFixtureEmbeddingsAndWeights(t *testing.T) {
	for _, name := range tinyCases {
		t.Run(name, func(t *testing.T) {
			c := openTiny(t, name)
			golden := fixture.Open(t, name, "expected.safetensors")
			embed := func(p *model.Packed, pooling model.Pooling) []float64 {
				r := *c.models.Retriever
				r.Pooling = pooling
				return embeddings(t, &r, p)
			}
			check := func(key string, got []float64) { fixture.Close(t, key, got, golden.Values(key), 1e-5) }
			check("embeddings.passage", embed(c.batch.Texts, model.PoolEOS))
			check("embeddings.query", embed(c.batch.Queries, model.PoolEOS))
			check("first_half.embeddings.query", embed(c.halved.Queries, model.PoolEOS))
			if golden.Has("embeddings.passage.pooling_mean") {
				check("embeddings.passage.pooling_mean", embed(c.batch.Texts, model.PoolMean))
				check("embeddings.passage.pooling_first", embed(c.batch.Texts, model.PoolCLS))
			}
			c.checkWeights(t, golden)
		})
	}
}

func embeddings(t *testing.T, r *model.Retriever, p *model.Packed) []float64 {
	t.Helper()
	var sequences [][]int32
	for i, start := range p.Starts {
		var ids []int32
		for _, id := range p.IDs[start : start+p.Lens[i]] {
			ids = append(ids, int32(id))
		}
		sequences = append(sequences, ids)
	}
	out := make([]float32, int64(len(sequences))*r.Width())
	if err := r.Encode(sequences, out); err != nil {
		t.Fatal(err)
	}
	wide := make([]float64, len(out))
	for i, x := range out {
		wide[i] = float64(x)
	}
	return wide
}

func (c *tinyCase) checkWeights(t *testing.T, golden fixture.File) {
	t.Helper()
	s := torch.NewScope()
	defer s.Close()
	scores := golden.Tensor(s, "similarity")
	chain := model.NewChain()
	defer chain.Close()
	chain.NoGrad = true
	n := int64(c.batch.Texts.Len())
	pooled := c.models.Retriever.Pooled(chain, model.Join(c.batch.Queries, c.batch.Texts), false)
	own := model.Similarity{Normalize: true, Precision: torch.Float32}
	got := own.Scores(s, s.Narrow(pooled, 0, 0, n), s.Narrow(pooled, 0, n, n))
	if s.Err() != nil {
		t.Fatal(s.Err())
	}
	fixture.Close(t, "similarity", fixture.Values(t, got), fixture.Values(t, scores), 1e-5)
	for key, tau := range map[string]float64{"tau_0.05": 0.05, "tau_1.0": 1, "tau_1e-4": 1e-4} {
		for diagonal, exclude := range map[string]bool{"exclude_diagonal": true, "with_diagonal": false} {
			o := model.Similarity{Temperature: tau, ExcludeSelf: exclude, Precision: torch.Float32}
			name := "weights." + key + "." + diagonal
			tolerance := map[bool]float64{true: 5e-3, false: 1e-5}[tau == 1e-4]
			w := o.Weights(s, got)
			if s.Err() != nil {
				t.Fatal(s.Err())
			}
			fixture.Close(t, name, fixture.Values(t, w), golden.Values(name), tolerance)
		}
	}
}

func TestFixtureRevelaLossAndGradients(t *testing.T) {
	for _, name := range tinyCases {
		t.Run(name, func(t *testing.T) {
			c := openTiny(t, name)
			var want struct {
				T05 struct {
					Pass2 float64 `json:"pass2_loss"`
				} `json:"tau_0.05"`
				T1 struct {
					Pass2 float64 `json:"pass2_loss"`
				} `json:"tau_1.0"`
				T1e4 struct {
					Pass2 float64 `json:"pass2_loss"`
				} `json:"tau_1e-4"`
			}
			fixture.ReadJSON(t, &want, name, "expected.json")
			near(t, "loss at 1.0", c.step(t, c.objective(1), c.batch), want.T1.Pass2, 1e-5)
			near(t, "loss at 1e-4", c.step(t, c.objective(1e-4), c.batch), want.T1e4.Pass2, 2e-4)
			if name != "tiny-mixed" {
				c.checkGradients(t, fixture.Open(t, name, "grads_tau_1e-4.safetensors"), "", "", 5e-2)
			}
			near(t, "loss at 0.05", c.step(t, c.objective(0.05), c.batch), want.T05.Pass2, 1e-5)
			c.checkGradients(t, fixture.Open(t, name, "grads.safetensors"), "", "", 3e-4)

			recompute := c.objective(0.05)
			recompute.Recompute = true
			near(t, "loss with recomputation", c.step(t, recompute, c.batch), want.T05.Pass2, 1e-5)
			c.checkGradients(t, fixture.Open(t, name, "grads.safetensors"), "", "", 3e-4)
		})
	}
}

func TestFixtureRevelaVariants(t *testing.T) {
	variants := map[string]func(o *Revela){
		"dual_loss":      func(o *Revela) { o.DualLoss = true },
		"with_diagonal":  func(o *Revela) { o.Similarity.ExcludeSelf = false },
		"first_half":     func(*Revela) {},
		"disable_v_norm": func(o *Revela) { o.ValueNorm = false },
	}
	for _, name := range tinyCases {
		t.Run(name, func(t *testing.T) {
			c := openTiny(t, name)
			var want struct {
				Variants map[string]struct{ Loss float64 }
			}
			fixture.ReadJSON(t, &want, name, "expected.json")
			golden := fixture.Open(t, name, "variant_grads.safetensors")
			for variant, set := range variants {
				o, b := c.objective(0.05), c.batch
				if set(o); variant == "first_half" {
					b = c.halved
				}
				near(t, variant, c.step(t, o, b), want.Variants[variant].Loss, 1e-5)
				if hasGradients(golden, variant+".") { // tiny-mixed stores those of some variants
					c.checkGradients(t, golden, variant+".", "", 2e-4)
				}
			}
		})
	}
}

func hasGradients(golden fixture.File, prefix string) bool {
	return slices.ContainsFunc(golden.Names(), func(name string) bool { return strings.HasPrefix(name, prefix) })
}

// A frozen LM gives the retriever the gradients that a learning one does.
func TestFixtureFrozenLanguageModel(t *testing.T) {
	for _, name := range tinyCases {
		t.Run(name, func(t *testing.T) {
			c := openTiny(t, name)
			for _, p := range c.models.LM.Params() {
				if err := p.Learn(false); err != nil {
					t.Fatal(err)
				}
			}
			var want struct {
				Variants map[string]struct{ Loss float64 }
			}
			fixture.ReadJSON(t, &want, name, "expected.json")
			near(t, "frozen_lm", c.step(t, c.objective(0.05), c.batch), want.Variants["frozen_lm"].Loss, 1e-5)
			c.checkGradients(t, fixture.Open(t, name, "grads.safetensors"), "", "retriever.", 3e-4)
			for name, p := range c.params() {
				if p.Grad.Defined() && !p.Learns {
					t.Errorf("frozen %s has a gradient", name)
				}
			}
		})
	}
}

// With lm_only the retriever gets no gradient and the loss stays the same.
func TestLMOnlyLeavesTheRetriever(t *testing.T) {
	c := openTiny(t, "tiny-llama")
	both := c.step(t, c.objective(0.05), c.batch)
	o := c.objective(0.05)
	o.LMOnly = true
	if alone := c.step(t, o, c.batch); alone != both {
		t.Errorf("loss is %v, with a learning retriever %v", alone, both)
	}
	for _, p := range model.AllParams(c.models.Retriever) {
		if p.Grad.Defined() {
			t.Errorf("%s has a gradient", p.Name)
		}
	}
}
