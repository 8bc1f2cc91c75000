package train

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"revela/data"
	"revela/internal/fixture"
	"revela/model"
	"revela/torch"
)

// The golden values are those of sentence-transformers' MultipleNegativesRankingLoss (python/reference_infonce.py).
func TestInfoNCEEqualsMultipleNegativesRanking(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("..", "testdata", "infonce", "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Scale, Loss    float64
		Queries, Texts [][]float64
		GradQueries    [][]float64 `json:"grad_queries"`
		GradTexts      [][]float64 `json:"grad_texts"`
	}
	if err := json.Unmarshal(content, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) == 0 {
		t.Fatal("no golden case")
	}
	for _, c := range cases {
		s := torch.NewScope()
		o := InfoNCE{Similarity: model.Similarity{Temperature: 1 / c.Scale, Normalize: true, Precision: torch.Float32}}
		queries, texts := leafOf(s, c.Queries), leafOf(s, c.Texts)
		loss, _ := o.contrast(s, queries, texts)
		grads := s.Grad([]torch.Tensor{loss}, nil, []torch.Tensor{queries, texts}, false)
		if s.Err() != nil {
			t.Fatal(s.Err())
		}
		value, err := loss.Float()
		if err != nil {
			t.Fatal(err)
		}
		near(t, "loss", value, c.Loss, 1e-6*max(1, c.Loss))
		fixture.Close(t, "gradient of queries", fixture.Values(t, grads[0]), flat(c.GradQueries), 1e-6*max(1, fixture.Largest(flat(c.GradQueries))))
		fixture.Close(t, "gradient of texts", fixture.Values(t, grads[1]), flat(c.GradTexts), 1e-6*max(1, fixture.Largest(flat(c.GradTexts))))
		s.Close()
	}
}

func leafOf(s *torch.Scope, rows [][]float64) torch.Tensor {
	return s.Leaf(s.To(torch.From(s, flat(rows), int64(len(rows)), int64(len(rows[0]))), torch.Float32))
}

func flat(rows [][]float64) []float64 {
	var out []float64
	for _, r := range rows {
		out = append(out, r...)
	}
	return out
}

// InfoNCE needs to know which text belongs to which query.
func TestInfoNCERefusesGroupsWithoutQueries(t *testing.T) {
	c := openTiny(t, "tiny-llama")
	o := InfoNCE{Models: c.models}
	_, err := o.Step(c.batch, 1)
	want := `infonce: the group has no queries of its own; {"query": […], "text": […]} expected`
	if err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
}

// A step on a group with pairs gives finite gradients to the retriever alone.
func TestInfoNCETrainsTheRetriever(t *testing.T) {
	c := openTiny(t, "tiny-llama")
	n := c.settings.PassageMaxLen
	models := Models{Retriever: c.models.Retriever}
	batcher := Batcher{Models: models, Lengths: Lengths{RetrieverQuery: n, RetrieverText: n}}
	b, err := batcher.Batch(data.Group{Queries: []string{"one query", "another"}, Texts: []string{"a text", "more text", "a negative"}})
	if err != nil {
		t.Fatal(err)
	}
	o := InfoNCE{Models: models, Similarity: model.Similarity{Temperature: 0.05, Normalize: true, Precision: torch.Float32}}
	result, err := o.Step(b, 1)
	if err != nil {
		t.Fatal(err)
	}
	if result.Loss <= 0 || result.Tokens == 0 {
		t.Errorf("result is %+v", result)
	}
	for _, p := range model.AllParams(c.models.Retriever) {
		if !p.Grad.Defined() {
			t.Errorf("%s has no gradient", p.Name)
		}
	}
}
