package evaluate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Result is what one collection gave.
type Result struct {
	Collection string              `json:"collection"`
	Split      string              `json:"split"`
	Model      string              `json:"model"`
	Metrics    map[string]float64  `json:"metrics"`             // unrounded
	Intervals  map[string]Interval `json:"intervals,omitempty"` // of the means, 95 %
	Queries    int                 `json:"queries"`             // that the metrics are means over
	Documents  int                 `json:"documents"`
	Seconds    float64             `json:"seconds,omitempty"` // of encoding and searching
	Baseline   *Baseline           `json:"baseline,omitempty"`
	Settings   map[string]any      `json:"settings"`
	Scores     *Scores             `json:"-"` // per query
	Task       *Task               `json:"-"` // of a benchmark; nil: none

	texts map[string]string // of the queries
}

// Baseline is what the baseline gave on a collection.
type Baseline struct {
	Model       string             `json:"model"`
	Metrics     map[string]float64 `json:"metrics"`
	Comparisons []Comparison       `json:"comparisons"` // of the baseline, first, with the model, second
	Scores      *Scores            `json:"-"`
}

// compare holds a result against the baseline; nil: there is none.
func (r *Result) compare(b *Baseline, seed uint64) error {
	if b == nil {
		return nil
	}
	comparisons, err := Compare(b.Scores, r.Scores, seed)
	if err != nil {
		return fmt.Errorf("baseline: %w", err)
	}
	b.Comparisons = comparisons
	r.Baseline = b
	return nil
}

// comparison is the one of a metric; nil: none.
func (r *Result) comparison(metric string) *Comparison {
	if r.Baseline == nil {
		return nil
	}
	for i, c := range r.Baseline.Comparisons {
		if c.Measure == metric {
			return &r.Baseline.Comparisons[i]
		}
	}
	return nil
}

// withAggregates adds the means that were asked for, else the mean of all where there are several. Their baseline's
// metrics are means as well; tests of them there are none.
func withAggregates(results []Result, aggregates []Aggregate) []Result {
	if len(aggregates) == 0 && len(results) > 1 {
		aggregates = []Aggregate{{Name: "mean", Parts: names(results)}}
	}
	means := Aggregated(results, aggregates)
	for i, mean := range Aggregated(baselines(results), aggregates) {
		means[i].Baseline = &Baseline{Model: mean.Model, Metrics: mean.Metrics}
	}
	return append(slices.Clone(results), means...)
}

func names(results []Result) []string {
	names := make([]string, len(results))
	for i, r := range results {
		names[i] = r.Collection
	}
	return names
}

// baselines are results with the baseline's metrics in place of the model's, none where one lacks them.
func baselines(results []Result) []Result {
	var all []Result
	for _, r := range results {
		if r.Baseline == nil {
			return nil
		}
		all = append(all, Result{Collection: r.Collection, Model: r.Baseline.Model, Metrics: r.Baseline.Metrics})
	}
	return all
}

// Difference is a query's value in two runs.
type Difference struct {
	Query  string  `json:"query"`
	Text   string  `json:"text,omitempty"`
	First  float64 `json:"first"`
	Second float64 `json:"second"`
}

// Differences returns the values of the queries that two runs have in common under a measure of both, those that lose most
// from the first run to the second first; ties by query.
func Differences(first, second *Scores, metric string) ([]Difference, error) {
	at := func(m Measure) bool { return m.Name == metric && m.ofOneQuery() }
	a, b := slices.IndexFunc(first.Measures, at), slices.IndexFunc(second.Measures, at)
	if a < 0 || b < 0 {
		return nil, fmt.Errorf("compare: no values of queries under %s", metric)
	}
	var all []Difference
	for _, pair := range commonQueries(first, second) {
		all = append(all, Difference{Query: first.Queries[pair[0]], First: first.PerQuery[pair[0]][a], Second: second.PerQuery[pair[1]][b]})
	}
	slices.SortFunc(all, func(x, y Difference) int {
		return cmp.Or(cmp.Compare(x.Second-x.First, y.Second-y.First), strings.Compare(x.Query, y.Query))
	})
	return all, nil
}

// Worst returns the queries with the least values under a measure, the worst first; First and Second are the same.
func (s *Scores) Worst(metric string) ([]Difference, error) {
	all, err := Differences(s, s, metric)
	slices.SortFunc(all, func(x, y Difference) int {
		return cmp.Or(cmp.Compare(x.Second, y.Second), strings.Compare(x.Query, y.Query))
	})
	return all, err
}

// texts returns the queries' texts by id.
func (c *Collection) texts() map[string]string {
	texts := make(map[string]string, len(c.Queries))
	for _, q := range c.Queries {
		texts[q.ID] = q.FullText()
	}
	return texts
}

// metricNames are the names of the measures that are numbers, in their order.
func metricNames(measures []Measure) []string {
	var names []string
	for _, m := range measures {
		if m.averaging != tagOnly {
			names = append(names, m.Name)
		}
	}
	return names
}

// systems are the names of those who published on any of the results' tasks, in the order of coming.
func systems(results []Result) []string {
	seen := map[string]int{}
	for _, r := range results {
		if r.Task == nil {
			continue
		}
		for _, p := range r.Task.Published {
			if _, known := seen[p.System]; !known {
				seen[p.System] = len(seen)
			}
		}
	}
	return slices.SortedFunc(maps.Keys(seen), func(a, b string) int { return seen[a] - seen[b] })
}

// fileName is a baseline's name as part of a path.
func fileName(model string) string { return strings.ReplaceAll(model, ":", "-") }
