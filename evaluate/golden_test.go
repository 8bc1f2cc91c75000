package evaluate

import (
	"context"
	"math"
	"testing"

	"revela/internal/testdata"
)

// TestDataBM25 compares the baseline with Python's bm25s (stop words, with Snowball stemming and without) and pytrec_eval on
// real collections.
func TestDataBM25(t *testing.T) {
	tests := []struct {
		collection         string
		stemmed, unstemmed float64
	}{
		{"scifact", 0.68630, 0.66169}, {"mbpp", 0.10076, 0.09804}, {"cosqa", 0.33219, 0.29002}, {"humaneval", 0.81187, 0.82336},
		{"conala", 0.40222, 0.40378}, {"cranfield", 0.36505, 0.33693}, {"adi", 0.49383, 0.44582},
	}
	for _, test := range tests {
		t.Run(test.collection, func(t *testing.T) {
			c, err := OpenCollection(testdata.Data(t, test.collection), "test")
			if err != nil {
				t.Fatal(err)
			}
			for name, want := range map[string]float64{"bm25": test.stemmed, "bm25:unstemmed": test.unstemmed} {
				if got := ndcg10(t, c, name); math.Abs(got-want) > 0.0005 {
					t.Errorf("%s: NDCG@10 %.5f, bm25s has %.5f", name, got, want)
				} else {
					t.Logf("%s: NDCG@10 %.5f, bm25s has %.5f", name, got, want)
				}
			}
			t.Logf("bm25:code: NDCG@10 %.5f", ndcg10(t, c, "bm25:code"))
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
