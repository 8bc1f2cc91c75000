package train

import (
	"math"
	"strings"
	"testing"

	"revela/data"
	"revela/internal/fixture"
	"revela/model"
	"revela/torch"
)

// tinyCase is one of the fixtures with a single group.
type tinyCase struct {
	name     string
	models   Models
	batch    *Batch // queries in full
	halved   *Batch // first-half queries
	settings pairSettings
}

// pairSettings are what the settings.json of every fixture says of its two models.
type pairSettings struct {
	PassageMaxLen int    `json:"passage_max_len"`
	AppendEOS     bool   `json:"append_eos_token"`
	PassagePrefix string `json:"passage_prefix"`
	QueryPrefix   string `json:"query_prefix"`
	Pooling       string `json:"pooling"`
	Normalize     bool   `json:"normalize"`
	Retriever     string `json:"retriever"`
	LM            string `json:"lm"`
}

// openTiny loads a fixture; every parameter of both models learns.
func openTiny(t *testing.T, name string) *tinyCase {
	t.Helper()
	c := &tinyCase{name: name}
	fixture.ReadJSON(t, &c.settings, name, "settings.json")
	all := model.Options{Compute: torch.Float32, Learns: func(string) bool { return true }}
	dir := fixture.Path(t, name, c.settings.Retriever)
	net, err := model.Load(dir, all)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(net.Free)
	tok, err := model.LoadTokenizer(dir)
	if err != nil {
		t.Fatal(err)
	}
	c.models.Retriever = &model.Retriever{Network: net, Tokenizer: tok, RetrieverSettings: model.RetrieverSettings{
		Pooling: model.Pooling(c.settings.Pooling), Normalize: c.settings.Normalize, AppendEOS: c.settings.AppendEOS,
		QueryPrefix: c.settings.QueryPrefix, PassagePrefix: c.settings.PassagePrefix, MaxLength: c.settings.PassageMaxLen}}
	dir = fixture.Path(t, name, c.settings.LM)
	if c.models.LM, err = model.LoadLanguageModel(dir, all); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.models.LM.Free)
	if c.models.LMTokenizer, err = model.LoadTokenizer(dir); err != nil {
		t.Fatal(err)
	}
	var texts []string
	fixture.ReadJSON(t, &texts, name, "texts.json")
	c.batch, c.halved = c.tokenize(t, texts, false), c.tokenize(t, texts, true)
	return c
}

func (c *tinyCase) tokenize(t *testing.T, texts []string, half bool) *Batch {
	t.Helper()
	n := c.settings.PassageMaxLen
	b := Batcher{Models: c.models, Lengths: Lengths{n, n, n - 1, n - 1}, FirstHalf: half}
	batch, err := b.Batch(data.Group{Texts: texts, File: "texts.json"})
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

func (c *tinyCase) objective(tau float64) *Revela {
	return &Revela{Models: c.models, Scale: 1, ValueNorm: true,
		Similarity: model.Similarity{Temperature: tau, ExcludeSelf: true, Normalize: true, Precision: torch.Float32}}
}

// step runs a step with fresh gradients.
func (c *tinyCase) step(t *testing.T, o *Revela, b *Batch) float64 {
	t.Helper()
	for _, p := range c.params() {
		p.ZeroGrad()
	}
	result, err := o.Step(b, 1)
	if err != nil {
		t.Fatal(err)
	}
	return result.Loss
}

// params are all parameters by "retriever." or "lm." and their name in the checkpoint.
func (c *tinyCase) params() map[string]*model.Param {
	named := map[string]*model.Param{}
	for _, p := range model.AllParams(c.models.Retriever) {
		named["retriever."+p.Name] = p
	}
	for _, p := range c.models.LM.Params() {
		named["lm."+p.Name] = p
	}
	return named
}

// checkGradients compares the tensors prefix+of… of a golden file with the gradients of the parameters of…; the difference
// counts relative to the tensor's largest value.
func (c *tinyCase) checkGradients(t *testing.T, golden fixture.File, prefix, of string, tolerance float64) {
	t.Helper()
	params := c.params()
	worst, at, seen := 0.0, "", 0
	for _, name := range golden.Names() {
		short, ok := strings.CutPrefix(name, prefix)
		if !ok || !strings.HasPrefix(short, of) {
			continue
		}
		seen++
		p := params[short]
		if p == nil {
			t.Fatalf("gradient of %s: no such parameter", short)
		}
		want := golden.Values(name)
		if !p.Grad.Defined() {
			if fixture.Largest(want) > 0 {
				t.Errorf("gradient of %s: none, largest value %.2e expected", short, fixture.Largest(want))
			}
			continue
		}
		d := fixture.Difference(t, fixture.Values(t, p.Grad), want) / math.Max(fixture.Largest(want), 1e-12)
		if d > worst {
			worst, at = d, short
		}
	}
	if seen == 0 {
		t.Fatalf("no gradient below %q in the golden file", prefix+of)
	}
	t.Logf("gradients %s: worst of %d tensors %.1e (%s)", prefix, seen, worst, at)
	if worst > tolerance {
		t.Errorf("gradients %s differ by %.2e of the largest value in %s, at most %.0e allowed", prefix, worst, at, tolerance)
	}
}

func near(t *testing.T, name string, got, want, tolerance float64) {
	t.Helper()
	t.Logf("%s: %.7f, difference %.1e", name, got, math.Abs(got-want))
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s is %.7f, want %.7f ± %.0e", name, got, want, tolerance)
	}
}
