package evaluate

import (
	"bufio"
	"fmt"
	"io"
	"math"
)

// ScoreOptions are trec_eval's options of the same meaning.
type ScoreOptions struct {
	RelevanceLevel int  // -l: the least level that counts as relevant; 0 means 1. nDCG uses levels as gains whatever this is
	Depth          int  // -M: hits of a query that count; 0 means all
	Complete       bool // -c: a judged query without results counts with the value 0
}

// Scores are the values of measures, per query and over all of them.
type Scores struct {
	Tag      string // of the run
	Measures []Measure
	Queries  []string    // the queries that count, sorted
	PerQuery [][]float64 // [query][measure]; gm_map holds logarithms
	Overall  []float64   // by measure: the mean, for counts the sum; unrounded
	Missing  []string    // judged queries without results: left out, or 0 with Complete
	Unjudged int         // queries of the run without judgements: left out
}

// Score measures a run. It sorts the run's hits in place.
func Score(qrels Qrels, run *Run, measures []Measure, options ScoreOptions) (*Scores, error) {
	threshold := max(options.RelevanceLevel, 1)
	s := &Scores{Tag: run.Tag, Measures: measures}
	for _, query := range sortedKeys(qrels) {
		hits := run.Hits[query]
		if len(hits) == 0 {
			s.Missing = append(s.Missing, query)
			if !options.Complete {
				continue
			}
		}
		SortHits(hits)
		s.Queries = append(s.Queries, query)
		s.PerQuery = append(s.PerQuery, values(measures, newRanking(hits, qrels[query], threshold, options.Depth)))
	}
	if len(s.Queries) == 0 {
		return nil, fmt.Errorf("score: none of the %d judged queries has results", len(qrels))
	}
	s.Unjudged = len(run.Hits)
	for query := range run.Hits {
		if _, judged := qrels[query]; judged {
			s.Unjudged--
		}
	}
	for i, m := range measures {
		s.Overall = append(s.Overall, s.overall(i, m.averaging))
	}
	return s, nil
}

func values(measures []Measure, r *ranking) []float64 {
	row := make([]float64, len(measures))
	for i, m := range measures {
		if m.value != nil {
			row[i] = m.value(r)
		}
	}
	return row
}

func (s *Scores) overall(measure int, averaging averaging) float64 {
	total := 0.0
	for _, row := range s.PerQuery {
		total += row[measure]
	}
	switch averaging {
	case arithmetic:
		return total / float64(len(s.PerQuery))
	case geometric:
		return math.Exp(total / float64(len(s.PerQuery)))
	default:
		return total
	}
}

// Metrics returns the overall values by the names that were asked for; a run's tag is no number and left out.
func (s *Scores) Metrics() map[string]float64 {
	metrics := map[string]float64{}
	for i, m := range s.Measures {
		if m.averaging != tagOnly {
			metrics[m.Name] = s.Overall[i]
		}
	}
	return metrics
}

// QueryMetrics returns the values of each query, query → metric → value; measures that say nothing about a single query
// (the tag, num_q, gm_map) are left out.
func (s *Scores) QueryMetrics() map[string]map[string]float64 {
	metrics := map[string]map[string]float64{}
	for i, query := range s.Queries {
		metrics[query] = map[string]float64{}
		for j, m := range s.Measures {
			if m.ofOneQuery() {
				metrics[query][m.Name] = s.PerQuery[i][j]
			}
		}
	}
	return metrics
}

// Warnings says in a line each what was left out of the scores.
func (s *Scores) Warnings(complete bool) []string {
	var warnings []string
	if n := len(s.Missing); n > 0 {
		what := "left out of the mean"
		if complete {
			what = "counted as 0"
		}
		warnings = append(warnings, fmt.Sprintf("%d of %d judged queries have no results and are %s (first: %s)",
			n, s.judged(complete), what, s.Missing[0]))
	}
	if s.Unjudged > 0 {
		warnings = append(warnings, fmt.Sprintf("%d queries of the run have no judgements and are left out", s.Unjudged))
	}
	return warnings
}

func (s *Scores) judged(complete bool) int {
	if complete {
		return len(s.Queries)
	}
	return len(s.Queries) + len(s.Missing)
}

// Print writes the scores as trec_eval prints them, to four digits; perQuery is its option -q.
func (s *Scores) Print(w io.Writer, perQuery bool) error {
	buffered := bufio.NewWriter(w)
	if perQuery {
		for i, query := range s.Queries {
			for j, m := range s.Measures {
				if m.ofOneQuery() {
					m.print(buffered, query, s.PerQuery[i][j])
				}
			}
		}
	}
	for j, m := range s.Measures {
		if m.averaging == tagOnly {
			fmt.Fprintf(buffered, "%-22s\tall\t%s\n", m.label, s.Tag)
			continue
		}
		m.print(buffered, "all", s.Overall[j])
	}
	return buffered.Flush()
}

func (m Measure) print(w io.Writer, query string, value float64) {
	if m.averaging == sum || m.averaging == queryCount {
		fmt.Fprintf(w, "%-22s\t%s\t%d\n", m.label, query, int64(value))
		return
	}
	fmt.Fprintf(w, "%-22s\t%s\t%6.4f\n", m.label, query, value)
}
