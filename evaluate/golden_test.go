package evaluate

import (
	"context"
	"math"
	"testing"

	"revela/internal/testdata"
)

// TestDataBM25 compares the baseline with Python's bm25s (stop words, Snowball stemming) and pytrec_eval on real collections.
func TestDataBM25(t *testing.T) {
	tests := []struct {
		collection string
		want       float64
	}{
		{"scifact", 0.6863}, {"mbpp", 0.1008}, {"cosqa", 0.3322}, {"humaneval", 0.8119}, {"cranfield", 0.3650}, {"adi", 0.4938},
	}
	for _, test := range tests {
		t.Run(test.collection, func(t *testing.T) {
			c, err := OpenCollection(testdata.Data(t, test.collection), "test")
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"bm25", "bm25:code"} {
				got := ndcg10(t, c, name)
				t.Logf("%s: NDCG@10 %.5f", name, got)
				if name == "bm25" && math.Abs(got-test.want) > 0.0005 {
					t.Errorf("NDCG@10 %.5f, bm25s has %.4f", got, test.want)
				}
			}
		})
	}
}

func ndcg10(t *testing.T, c *Collection, model string) float64 {
	t.Helper()
	r, err := NewBM25(model)
	if err != nil {
		t.Fatal(err)
	}
	measures, err := ParseMeasures([]string{"ndcg@10"})
	if err != nil {
		t.Fatal(err)
	}
	results, err := Evaluate(context.Background(), r, []*Collection{c}, Options{SearchOptions: SearchOptions{TopK: 1000}, Metrics: measures})
	if err != nil {
		t.Fatal(err)
	}
	return results[0].Metrics["ndcg@10"]
}
