package evaluate

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"revela/internal/atomicfile"
)

// writeResult writes runs/<collection>.trec and results/<collection>.json below output.
func writeResult(output string, run *Run, result *Result) error {
	if err := WriteRun(filepath.Join(output, "runs", result.Collection+".trec"), run); err != nil {
		return err
	}
	return writeJSON(filepath.Join(output, "results", result.Collection+".json"), result)
}

// summary is the content of summary.json.
type summary struct {
	Model   string                        `json:"model"`
	Metrics map[string]map[string]float64 `json:"metrics"` // collection → metric → value
	Mean    map[string]float64            `json:"mean"`    // over collections, each counting the same
}

// WriteSummary writes summary.json and summary.md below output.
func WriteSummary(output string, results []Result, measures []Measure) error {
	s := summary{Metrics: map[string]map[string]float64{}, Mean: Mean(results)}
	for _, r := range results {
		s.Model = r.Model
		s.Metrics[r.Collection] = r.Metrics
	}
	if err := writeJSON(filepath.Join(output, "summary.json"), s); err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(output, "summary.md"), func(w io.Writer) error {
		_, err := io.WriteString(w, "# "+s.Model+"\n\n"+Table(results, measures))
		return err
	})
}

// Mean returns the mean of each metric over collections.
func Mean(results []Result) map[string]float64 {
	mean := map[string]float64{}
	for _, r := range results {
		for name, value := range r.Metrics {
			mean[name] += value / float64(len(results))
		}
	}
	return mean
}

// Table returns a Markdown table: a row a collection and, for several, their mean; a column a metric, in the order of
// measures.
func Table(results []Result, measures []Measure) string {
	var names []string
	for _, m := range measures {
		if m.averaging != tagOnly {
			names = append(names, m.Name)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "| collection | split | queries | documents | %s |\n", strings.Join(names, " | "))
	fmt.Fprintf(&b, "|---|---|--:|--:|%s\n", strings.Repeat("--:|", len(names)))
	for _, r := range results {
		fmt.Fprintf(&b, "| %s | %s | %d | %d |%s\n", r.Collection, r.Split, r.Queries, r.Documents, cells(r.Metrics, names))
	}
	if len(results) > 1 {
		fmt.Fprintf(&b, "| mean | | | |%s\n", cells(Mean(results), names))
	}
	return b.String()
}

func cells(metrics map[string]float64, names []string) string {
	var b strings.Builder
	for _, name := range names {
		fmt.Fprintf(&b, " %.4f |", metrics[name])
	}
	return b.String()
}

func writeJSON(path string, value any) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(value)
	})
}
