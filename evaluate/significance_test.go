package evaluate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

func scoresOf(t *testing.T, values []float64) *Scores {
	t.Helper()
	s := &Scores{Measures: measuresOf(t, "num_ret", "map")}
	for i, v := range values {
		s.Queries = append(s.Queries, fmt.Sprint("q", i))
		s.PerQuery = append(s.PerQuery, []float64{7, v})
	}
	return s
}

// TestRandomisationIsExact compares with all 2ⁿ sign changes of a small sample.
func TestRandomisationIsExact(t *testing.T) {
	differences := []float64{0.5, 0.25, -0.125, 0.375, 0.0625, 0, 0.75, -0.25, 0.125, 0.5}
	extreme, observed := 0, math.Abs(mean(differences))
	for signs := range 1 << len(differences) {
		total := 0.0
		for i, d := range differences {
			if signs>>i&1 == 1 {
				d = -d
			}
			total += d
		}
		if math.Abs(total)/float64(len(differences)) >= observed {
			extreme++
		}
	}
	want := float64(extreme) / float64(int(1)<<len(differences))
	got, err := Compare(scoresOf(t, make([]float64, len(differences))), scoresOf(t, differences), 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || math.Abs(got[0].P-want) > 0.005 {
		t.Errorf("got %+v, want one comparison with p %.4f", got, want)
	}
	if c := got[0]; c.Better != 7 || c.Worse != 2 || c.Queries != 10 || c.First != 0 || math.Abs(c.Difference-0.21875) > 1e-12 {
		t.Errorf("got %+v", c)
	}
}

// TestBootstrapInterval compares with the normal interval, which a large sample's must be close to.
func TestBootstrapInterval(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	first, second := make([]float64, 400), make([]float64, 400)
	squares, total := 0.0, 0.0
	for i := range first {
		first[i] = rng.Float64()
		difference := 0.1 + 0.3*rng.NormFloat64()
		second[i] = first[i] + difference
		total += difference
		squares += difference * difference
	}
	m := total / 400
	half := 1.96 * math.Sqrt((squares/400-m*m)/400)
	got, err := Compare(scoresOf(t, first), scoresOf(t, second), 1)
	if err != nil {
		t.Fatal(err)
	}
	if c := got[0]; math.Abs(c.Low-(m-half)) > 0.003 || math.Abs(c.High-(m+half)) > 0.003 {
		t.Errorf("interval %.4f to %.4f, want about %.4f to %.4f", c.Low, c.High, m-half, m+half)
	}
	again, err := Compare(scoresOf(t, first), scoresOf(t, second), 1)
	if err != nil || again[0] != got[0] {
		t.Errorf("the same seed gave %+v, then %+v, %v", got[0], again, err)
	}
}

// TestEqualRunsDoNotDiffer: without any difference p is 1.
func TestEqualRunsDoNotDiffer(t *testing.T) {
	values := []float64{0.1, 0.5, 0.9}
	got, err := Compare(scoresOf(t, values), scoresOf(t, values), 1)
	if err != nil {
		t.Fatal(err)
	}
	if c := got[0]; c.P != 1 || c.Low != 0 || c.High != 0 {
		t.Errorf("got %+v", c)
	}
	other := scoresOf(t, values)
	other.Queries = []string{"x", "y", "z"}
	if _, err := Compare(scoresOf(t, values), other, 1); fmt.Sprint(err) != "compare: the runs have no judged query in common" {
		t.Errorf("nothing in common: %v", err)
	}
	other = scoresOf(t, values)
	other.Measures = measuresOf(t, "num_ret", "mrr")
	if _, err := Compare(scoresOf(t, values), other, 1); fmt.Sprint(err) != "compare: the second run was not scored with map" {
		t.Errorf("other measures: %v", err)
	}
}
