package train

import (
	"math"
	"strings"
	"testing"

	"revela/internal/fixture"
	"revela/model"
)

// TestFixtureQueryGroups checks groups with queries of their own, scale and detached texts.
func TestFixtureQueryGroups(t *testing.T) {
	c := openTiny(t, "tiny-llama")
	var want struct {
		Queries, Texts []int
		Temperature    float64
		Losses         map[string]float64
	}
	fixture.ReadJSON(t, &want, "query-groups", "expected.json")
	golden := fixture.Open(t, "query-groups", "expected.safetensors")
	own := &Batch{OwnQueries: true, Queries: pick(c.batch.Queries, want.Queries), Texts: pick(c.batch.Texts, want.Texts),
		LMQueries: pick(c.batch.LMQueries, want.Queries), LMTexts: pick(c.batch.LMTexts, want.Texts)}
	var err error
	if own.Targets, err = model.NextTokens(own.LMQueries, padding(c.models.LMTokenizer)); err != nil {
		t.Fatal(err)
	}
	if len(want.Losses) == 0 {
		t.Fatal("the fixture names no losses")
	}
	for variant, loss := range want.Losses {
		b := c.batch
		if strings.HasPrefix(variant, "queries.") {
			b = own
		}
		o := c.objective(want.Temperature)
		o.ValueNorm = !strings.Contains(variant, "no_v_norm")
		o.Detach = strings.Contains(variant, "detach_passages")
		if strings.Contains(variant, "scale_0.3") {
			o.Scale = 0.3
		}
		near(t, variant, c.step(t, o, b), loss, 1e-5)
		c.checkGradients(t, golden, variant+".grad.", "", 1e-4)
		c.checkNorms(t, golden, variant+".grad_norm.")
	}
}

// checkNorms compares the norm over all gradients of each model.
func (c *tinyCase) checkNorms(t *testing.T, golden fixture.File, prefix string) {
	t.Helper()
	for _, which := range []string{"retriever", "lm"} {
		sum := 0.0
		for name, p := range c.params() {
			if strings.HasPrefix(name, which+".") && p.Grad.Defined() {
				for _, g := range fixture.Values(t, p.Grad) {
					sum += g * g
				}
			}
		}
		want := golden.Values(prefix + which)[0]
		if got := math.Sqrt(sum); math.Abs(got-want) > 1e-4*want {
			t.Errorf("%s%s is %.7f, want %.7f", prefix, which, got, want)
		}
	}
}

// pick returns the sequences of the given numbers.
func pick(p *model.Packed, which []int) *model.Packed {
	var sequences [][]int32
	for _, i := range which {
		var ids []int32
		for _, id := range p.IDs[p.Starts[i] : p.Starts[i]+p.Lens[i]] {
			ids = append(ids, int32(id))
		}
		sequences = append(sequences, ids)
	}
	return model.Pack(sequences)
}
