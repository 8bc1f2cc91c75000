package evaluate

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// TestGoldenMTEB compares every score that mteb 2 writes of a retrieval task, nAUC included.
func TestGoldenMTEB(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("testdata", "mteb.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Qrels  Qrels
		Run    map[string]map[string]float64
		Scores map[string]*float64 // null: not a number
	}
	if err := json.Unmarshal(content, &cases); err != nil {
		t.Fatal(err)
	}
	compared := 0
	for i, c := range cases {
		run := &Run{Hits: map[string][]Hit{}}
		for query, documents := range c.Run {
			for document, score := range documents {
				run.Hits[query] = append(run.Hits[query], Hit{document, float32(score)})
			}
		}
		got, err := mtebScores(c.Qrels, run)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range c.Scores {
			value, ok := got[name]
			if ok != (want != nil) {
				t.Errorf("case %d, %s: got %v, mteb has %v", i, name, value, want)
			} else if ok && math.Abs(value-*want) > 1e-6 {
				t.Errorf("case %d, %s: got %v, mteb has %v", i, name, value, *want)
			}
			compared++
			delete(got, name)
		}
		if len(got) > 0 {
			t.Errorf("case %d: mteb does not have %v", i, got)
		}
	}
	if compared < 300 {
		t.Errorf("compared only %d scores", compared)
	}
}
