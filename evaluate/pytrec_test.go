package evaluate

import (
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"revela/internal/testdata"
)

type goldenCase struct {
	RelevanceLevel int                           `json:"relevance_level"`
	Qrels          Qrels                         `json:"qrels"`
	Run            map[string]map[string]float64 `json:"run"`
	Values         map[string]map[string]float64 `json:"values"` // query → measure → value
}

func TestGoldenPytrecEval(t *testing.T) {
	golden, err := os.ReadFile(filepath.Join("testdata", "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	compareWithPytrecEval(t, golden)
}

// TestLivePytrecEval draws rankings of its own each time; the seed in the log repeats a failure.
func TestLivePytrecEval(t *testing.T) {
	python := testdata.Python(t, "pytrec_eval", "import pytrec_eval")
	for i := range 5 {
		seed := strconv.FormatInt(time.Now().UnixNano()+int64(i), 10)
		golden, err := exec.Command(python, filepath.Join("testdata", "make_golden.py"), seed).Output()
		if err != nil {
			t.Fatalf("make_golden.py %s: %v", seed, err)
		}
		t.Logf("seed %s", seed)
		compareWithPytrecEval(t, golden)
	}
}

func compareWithPytrecEval(t *testing.T, golden []byte) {
	t.Helper()
	var cases []goldenCase
	if err := json.Unmarshal(golden, &cases); err != nil {
		t.Fatal(err)
	}
	compared, worst := 0, 0.0
	for i, c := range cases {
		scores := c.score(t)
		if len(scores.Queries) != len(c.Values) {
			t.Errorf("case %d: %d queries scored, pytrec_eval scores %d", i, len(scores.Queries), len(c.Values))
		}
		for row, query := range scores.Queries {
			for column, m := range scores.Measures {
				want, ok := c.Values[query][m.label]
				if !ok {
					t.Fatalf("case %d: no golden %s of %s", i, m.label, query)
				}
				difference := math.Abs(scores.PerQuery[row][column] - want)
				if compared++; difference > 1e-12 {
					t.Errorf("case %d, %s, %s: got %v, pytrec_eval has %v", i, query, m.Name, scores.PerQuery[row][column], want)
				}
				worst = max(worst, difference)
			}
		}
	}
	if compared == 0 {
		t.Fatal("nothing was compared")
	}
	t.Logf("%d values, largest difference %.1e", compared, worst)
}

// score computes every golden measure by the name that trec_eval gives it.
func (c goldenCase) score(t *testing.T) *Scores {
	t.Helper()
	var names []string
	for _, values := range c.Values {
		names = sortedKeys(values)
		break
	}
	measures, err := ParseMeasures(names)
	if err != nil {
		t.Fatal(err)
	}
	run := &Run{Hits: map[string][]Hit{}}
	for query, documents := range c.Run {
		for document, score := range documents {
			run.Hits[query] = append(run.Hits[query], Hit{document, float32(score)})
		}
	}
	scores, err := Score(c.Qrels, run, measures, ScoreOptions{RelevanceLevel: c.RelevanceLevel})
	if err != nil {
		t.Fatal(err)
	}
	return scores
}
