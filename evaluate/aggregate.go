package evaluate

// Aggregate is a mean over collections: of a task of several parts, as CQADupStack is of its forums, or of a benchmark.
type Aggregate struct {
	Name  string
	Task  *Task    // nil: a mean that is no task
	Parts []string // names of collections, or of aggregates before this one
}

// Aggregated returns a result an aggregate: the unweighted means of the metrics, and the sums of queries and documents. An
// aggregate with a part that is missing has none, as its publisher would not report one.
func Aggregated(results []Result, aggregates []Aggregate) []Result {
	byName := map[string]Result{}
	for _, r := range results {
		byName[r.Collection] = r
	}
	var means []Result
	for _, a := range aggregates {
		mean, ok := a.mean(byName)
		if !ok {
			continue
		}
		byName[a.Name] = mean
		means = append(means, mean)
	}
	return means
}

func (a Aggregate) mean(results map[string]Result) (Result, bool) {
	mean := Result{Collection: a.Name, Task: a.Task, Metrics: map[string]float64{}}
	for _, name := range a.Parts {
		part, ok := results[name]
		if !ok {
			return Result{}, false
		}
		if mean.Model == "" {
			mean.Model, mean.Split, mean.Settings = part.Model, part.Split, part.Settings
		}
		mean.Queries += part.Queries
		mean.Documents += part.Documents
		for metric, value := range part.Metrics {
			mean.Metrics[metric] += value / float64(len(a.Parts))
		}
	}
	return mean, len(a.Parts) > 0
}
