package evaluate

import (
	"math/rand/v2"
	"slices"
)

// Interval is a confidence interval: its lower and its upper end.
type Interval [2]float64

// Intervals returns 95 % confidence intervals of the means over queries, by percentile bootstrap: the queries at hand are
// taken for a sample of all that could be asked. Counts and gm_map, which are no means, are left out. Equal seeds give
// equal results on every machine.
func (s *Scores) Intervals(seed uint64) map[string]Interval {
	var columns []int
	for i, m := range s.Measures {
		if m.averaging == arithmetic {
			columns = append(columns, i)
		}
	}
	means := s.resampledMeans(columns, seed)
	intervals := map[string]Interval{}
	for i, column := range columns {
		intervals[s.Measures[column].Name] = middle95(means[i])
	}
	return intervals
}

// middle95 returns the percentiles 2.5 and 97.5, and sorts values.
func middle95(values []float64) Interval {
	slices.Sort(values)
	return Interval{values[len(values)*25/1000], values[len(values)*975/1000-1]}
}

// resampleChunk is the number of draws that share a random stream, so that cores can share the draws and their number
// changes nothing.
const resampleChunk = 500

// resampledMeans draws queries with replacement; the result is [column][draw].
func (s *Scores) resampledMeans(columns []int, seed uint64) [][]float64 {
	n := len(s.PerQuery)
	rows := make([]float64, 0, n*len(columns)) // [query][column], close together
	for _, row := range s.PerQuery {
		for _, column := range columns {
			rows = append(rows, row[column])
		}
	}
	means := make([][]float64, len(columns))
	for i := range means {
		means[i] = make([]float64, resamples)
	}
	inParallel(resamples/resampleChunk, func(chunk int) {
		rng := rand.New(rand.NewPCG(seed, uint64(chunk)))
		totals := make([]float64, len(columns))
		for draw := chunk * resampleChunk; draw < (chunk+1)*resampleChunk; draw++ {
			clear(totals)
			for range n {
				query := rng.IntN(n)
				for i, value := range rows[query*len(columns) : (query+1)*len(columns)] {
					totals[i] += value
				}
			}
			for i, total := range totals {
				means[i][draw] = total / float64(n)
			}
		}
	})
	return means
}
