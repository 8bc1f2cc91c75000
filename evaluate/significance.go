package evaluate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Comparison is a paired test of two runs under one measure, over the queries that both have values for.
type Comparison struct {
	Measure    string  `json:"metric"`
	Queries    int     `json:"queries"`
	First      float64 `json:"first"` // mean of the first run
	Second     float64 `json:"second"`
	Difference float64 `json:"difference"` // second − first
	Low        float64 `json:"low"`        // 95 % interval of the difference, by bootstrap
	High       float64 `json:"high"`
	P          float64 `json:"p"` // two-sided, by randomisation
	Better     int     `json:"better"`
	Worse      int     `json:"worse"` // queries for which the second run is better, and worse
	Equal      int     `json:"equal"`
}

// resamples is the number of random draws of each test: p-values are exact to about 0.002 at 0.05.
const resamples = 20_000

// Compare tests whether the second run differs from the first: a paired bootstrap over queries gives the interval of the
// mean difference, and Fisher's randomisation test, which swaps the two values of a query at random, its p-value (Smucker,
// Allan and Carterette, CIKM 2007). Counts and gm_map, which are no means, are left out. Equal seeds give equal results.
func Compare(first, second *Scores, seed uint64) ([]Comparison, error) {
	pairs := commonQueries(first, second)
	if len(pairs) == 0 {
		return nil, fmt.Errorf("compare: the runs have no judged query in common")
	}
	var comparisons []Comparison
	for column, m := range first.Measures {
		if m.averaging != arithmetic {
			continue
		}
		other := slices.IndexFunc(second.Measures, func(n Measure) bool { return n.Name == m.Name })
		if other < 0 {
			return nil, fmt.Errorf("compare: the second run was not scored with %s", m.Name)
		}
		c := Comparison{Measure: m.Name, Queries: len(pairs)}
		differences := make([]float64, len(pairs))
		for i, pair := range pairs {
			a, b := first.PerQuery[pair[0]][column], second.PerQuery[pair[1]][other]
			differences[i] = b - a
			c.First += a / float64(len(pairs))
			c.Second += b / float64(len(pairs))
		}
		c.test(differences, rand.New(rand.NewPCG(seed, uint64(column))))
		comparisons = append(comparisons, c)
	}
	return comparisons, nil
}

// commonQueries returns the rows of the queries that both have.
func commonQueries(first, second *Scores) [][2]int {
	rows := map[string]int{}
	for i, query := range second.Queries {
		rows[query] = i
	}
	var pairs [][2]int
	for i, query := range first.Queries {
		if j, ok := rows[query]; ok {
			pairs = append(pairs, [2]int{i, j})
		}
	}
	return pairs
}

func (c *Comparison) test(differences []float64, rng *rand.Rand) {
	c.Difference = mean(differences)
	for _, d := range differences {
		switch {
		case d > 0:
			c.Better++
		case d < 0:
			c.Worse++
		default:
			c.Equal++
		}
	}
	c.Low, c.High = bootstrapInterval(differences, rng)
	c.P = randomisationTest(differences, rng)
}

// bootstrapInterval draws queries with replacement and returns the percentiles 2.5 and 97.5 of the mean.
func bootstrapInterval(differences []float64, rng *rand.Rand) (low, high float64) {
	means := make([]float64, resamples)
	for i := range means {
		total := 0.0
		for range differences {
			total += differences[rng.IntN(len(differences))]
		}
		means[i] = total / float64(len(differences))
	}
	interval := middle95(means)
	return interval[0], interval[1]
}

// randomisationTest returns the share of random sign changes whose mean is at least as far from 0 as the observed one. The
// observed one counts as a draw, so that the share is never 0.
func randomisationTest(differences []float64, rng *rand.Rand) float64 {
	observed, atLeast := math.Abs(mean(differences)), 1
	const tolerance = 1e-12 // of the summation
	for range resamples {
		total := 0.0
		for i, bits := 0, uint64(0); i < len(differences); i, bits = i+1, bits>>1 {
			if i%64 == 0 {
				bits = rng.Uint64()
			}
			if bits&1 == 0 {
				total += differences[i]
			} else {
				total -= differences[i]
			}
		}
		if math.Abs(total)/float64(len(differences)) >= observed-tolerance {
			atLeast++
		}
	}
	return float64(atLeast) / (resamples + 1)
}

func mean(values []float64) float64 {
	total := 0.0
	for _, v := range values {
		total += v
	}
	return total / float64(len(values))
}

// FormatP writes a p-value with four digits; smaller ones, which the number of draws does not tell apart, as <0.0001.
func FormatP(p float64) string {
	if p < 0.0001 {
		return "<0.0001"
	}
	return fmt.Sprintf("%.4f", p)
}
