package evaluate

import (
	"cmp"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"time"

	"revela/evaluate/mteb"
)

// Card describes a model in mteb's terms.
type Card = mteb.Model

// Carded is a retriever or an encoder that has a card; of other ones no mteb files are written.
type Carded interface {
	Card() (Card, error)
}

// Card implements [Carded]; the card of an encoder without one has no name.
func (d Dense) Card() (Card, error) {
	if encoder, ok := d.Encoder.(Carded); ok {
		return encoder.Card()
	}
	return Card{}, nil
}

// Card implements [Carded].
func (m *BM25) Card() (Card, error) {
	return Card{Name: "revela/" + fileName(m.name), Revision: "1", Sparse: true}, nil
}

// Measures and cut-offs of mteb's retrieval tasks.
var (
	mtebNames   = []string{"ndcg", "map", "recall", "precision", "mrr", "hit_rate"}
	mtebCutoffs = []int{1, 3, 5, 10, 20, 100, 1000}
)

const mtebMain = "ndcg_at_10"

// mtebScores computes what mteb writes of a retrieval task: its measures at all its cut-offs, to its number of digits, and
// how well the search's own scores tell good results from bad ones (nAUC; left out where it is undefined).
func mtebScores(qrels Qrels, run *Run) (map[string]float64, error) {
	var names []string
	for _, name := range mtebNames {
		for _, k := range mtebCutoffs {
			names = append(names, fmt.Sprintf("%s@%d", name, k))
		}
	}
	measures, err := ParseMeasures(names)
	if err != nil {
		return nil, err
	}
	scores, err := Score(qrels, run, measures, ScoreOptions{})
	if err != nil {
		return nil, err
	}
	out := map[string]float64{}
	for i, m := range measures {
		key, digits := strings.ReplaceAll(m.Name, "@", "_at_"), 5
		if strings.HasPrefix(key, "mrr") {
			digits = 6
		}
		out[key] = rounded(scores.Overall[i], digits)
		if !strings.HasPrefix(key, "hit_rate") {
			addNAUC(out, key, scores, i, run)
		}
	}
	out["accuracy"] = out["recall_at_1"]
	return out, nil
}

func addNAUC(out map[string]float64, key string, scores *Scores, measure int, run *Run) {
	n := len(scores.Queries)
	values, greatest, deviation, lead := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
	for i, query := range scores.Queries {
		c := confidenceOf(run.Hits[query])
		values[i], greatest[i], deviation[i], lead[i] = scores.PerQuery[i][measure], c.greatest, c.deviation, c.lead
	}
	for name, confidences := range map[string][]float64{"max": greatest, "std": deviation, "diff1": lead} {
		if area := nauc(confidences, values); !math.IsNaN(area) {
			out["nauc_"+key+"_"+name] = rounded(area, 6)
		}
	}
}

func rounded(x float64, digits int) float64 {
	scale := math.Pow10(digits)
	return math.RoundToEven(x*scale) / scale
}

// unknownLanguage is "undetermined" in mteb's codes; its means over languages leave out what has none.
var unknownLanguage = []string{"und-Zyyy"}

// writeLeaderboard writes mteb's files below output/mteb.
func writeLeaderboard(output string, card Card, c *Collection, run *Run, seconds float64) error {
	scores, err := mtebScores(c.Qrels, run)
	if err != nil {
		return err
	}
	task := mteb.Task{Name: c.Name, Revision: "no_revision_available", Split: c.Split, Subset: "default", Languages: unknownLanguage,
		Scores: scores, Main: mtebMain, Seconds: seconds, When: time.Now()}
	if c.Task != nil {
		task.Name, task.Revision = cmp.Or(c.Task.Name, task.Name), cmp.Or(c.Task.Revision, task.Revision)
		task.Subset = cmp.Or(c.Task.Subset, task.Subset)
		if len(c.Task.Languages) > 0 {
			task.Languages = c.Task.Languages
		}
	}
	return mteb.Write(filepath.Join(output, "mteb"), card, task)
}
