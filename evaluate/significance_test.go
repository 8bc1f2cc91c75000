package evaluate

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
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

// TestScipy compares with scipy's paired bootstrap and permutation test, of ten times as many draws.
func TestScipy(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("testdata", "scipy.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		First, Second  []float64
		Interval       Interval
		P              float64
		SecondInterval Interval `json:"second_interval"` // of the second run's mean
	}
	if err := json.Unmarshal(content, &cases); err != nil || len(cases) != 4 {
		t.Fatal(len(cases), err)
	}
	for i, c := range cases {
		second := scoresOf(t, c.Second)
		got, err := Compare(scoresOf(t, c.First), second, 1)
		if err != nil {
			t.Fatal(err)
		}
		// Percentiles of 20,000 draws err by about 0.02 of the distribution's width, p by two deviations of its estimate.
		tolerance := 0.02 * (c.Interval[1] - c.Interval[0])
		if math.Abs(got[0].Low-c.Interval[0]) > tolerance || math.Abs(got[0].High-c.Interval[1]) > tolerance {
			t.Errorf("case %d: interval of the difference %.4f to %.4f, scipy's %.4f to %.4f", i, got[0].Low, got[0].High, c.Interval[0], c.Interval[1])
		}
		if math.Abs(got[0].P-c.P) > 2.5*math.Sqrt(c.P*(1-c.P)/resamples)+1e-4 {
			t.Errorf("case %d: p %.5f, scipy's %.5f", i, got[0].P, c.P)
		}
		own, width := second.Intervals(1)["map"], c.SecondInterval[1]-c.SecondInterval[0]
		if math.Abs(own[0]-c.SecondInterval[0]) > 0.02*width || math.Abs(own[1]-c.SecondInterval[1]) > 0.02*width {
			t.Errorf("case %d: interval of the mean %v, scipy's %v", i, own, c.SecondInterval)
		}
	}
}
