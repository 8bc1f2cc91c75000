package evaluate

import (
	"cmp"
	"math"
	"slices"
)

// confidence is what a search's scores say about its success without judgements: mteb's confidence_scores.
type confidence struct{ greatest, deviation, lead float64 }

// confidenceOf reads hits in order of rank: the greatest score, the standard deviation of all, and the lead of the first
// over the second.
func confidenceOf(hits []Hit) confidence {
	if len(hits) == 0 {
		return confidence{}
	}
	c := confidence{greatest: float64(hits[0].Score)}
	if len(hits) > 1 {
		c.lead = float64(hits[0].Score) - float64(hits[1].Score)
	}
	average, squares := 0.0, 0.0
	for _, hit := range hits {
		average += float64(hit.Score) / float64(len(hits))
	}
	for _, hit := range hits {
		squares += (float64(hit.Score) - average) * (float64(hit.Score) - average)
	}
	c.deviation = math.Sqrt(squares / float64(len(hits)))
	return c
}

// nauc is the normalised area under the abstention curve (Gisserot-Boukhlef et al., arXiv 2402.12997), as mteb 2 computes
// it: how much of an oracle's gain a system has that leaves out the queries it is least sure of. NaN where no order of
// leaving out changes the mean.
func nauc(confidences, values []float64) float64 {
	curve, oracle := abstentionCurve(confidences, values), abstentionCurve(values, values)
	flat := oracle[0] * abstentionRate(len(oracle)-1)
	best := area(oracle)
	if best == flat {
		return math.NaN()
	}
	return (area(curve) - flat) / (best - flat)
}

// abstentionRates is how many rates there are: 0, 0.1, …, 0.9.
const abstentionRates = 10

func abstentionRate(i int) float64 { return float64(i) * 0.1 }

// abstentionCurve returns, for each rate, the mean of the values without that share of the least confident ones. Equally
// confident ones count with their common mean.
func abstentionCurve(confidences, values []float64) []float64 {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(confidences[a], confidences[b]) })
	sorted := make([]float64, len(values))
	for start := 0; start < len(order); {
		end, total := start, 0.0
		for ; end < len(order) && confidences[order[end]] == confidences[order[start]]; end++ {
			total += values[order[end]]
		}
		for i := start; i < end; i++ {
			sorted[i] = total / float64(end-start)
		}
		start = end
	}
	curve := make([]float64, abstentionRates)
	for i := range curve {
		left := min(int(math.RoundToEven(abstentionRate(i)*float64(len(sorted)))), len(sorted)-1)
		curve[i] = mean(sorted[left:])
	}
	return curve
}

// area integrates a curve over the rates by trapezoids.
func area(curve []float64) float64 {
	total := 0.0
	for i := 1; i < len(curve); i++ {
		total += (abstentionRate(i) - abstentionRate(i-1)) * (curve[i] + curve[i-1]) / 2
	}
	return total
}
