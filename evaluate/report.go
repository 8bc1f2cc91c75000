package evaluate

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"revela/internal/atomicfile"
)

// writeResult writes what one collection gave below output.
func writeResult(output string, r Retriever, c *Collection, run *Run, result *Result) error {
	runs := filepath.Join(output, "runs")
	if err := WriteRun(filepath.Join(runs, result.Collection+".trec"), run); err != nil {
		return err
	}
	if err := WriteQrels(filepath.Join(runs, result.Collection+".qrels"), c.Qrels); err != nil {
		return err
	}
	if err := writeCard(output, r, c, run, result.Seconds); err != nil {
		return err
	}
	return writeJSON(filepath.Join(output, "results", result.Collection+".json"), result)
}

// writeCard writes mteb's files where the retriever has a card with a name.
func writeCard(output string, r Retriever, c *Collection, run *Run, seconds float64) error {
	carded, ok := r.(Carded)
	if !ok {
		return nil
	}
	card, err := carded.Card()
	if err != nil || card.Name == "" {
		return err
	}
	return writeLeaderboard(output, card, c, run, seconds)
}

// WriteQrels writes judgements in TREC's layout, in order of their ids.
func WriteQrels(path string, qrels Qrels) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		buffered := bufio.NewWriter(w)
		for _, query := range sortedKeys(qrels) {
			for _, document := range sortedKeys(qrels[query]) {
				fmt.Fprintf(buffered, "%s 0 %s %d\n", query, document, qrels[query][document])
			}
		}
		return buffered.Flush()
	})
}

// summary is the content of summary.json.
type summary struct {
	Model     string                         `json:"model"`
	Metrics   map[string]map[string]float64  `json:"metrics"`             // collection → metric → value
	Mean      map[string]float64             `json:"mean"`                // over collections, each counting the same
	Means     map[string]map[string]float64  `json:"means,omitempty"`     // of benchmarks and tasks of several parts
	Intervals map[string]map[string]Interval `json:"intervals,omitempty"` // collection → metric → 95 %
	Baseline  *summary                       `json:"baseline,omitempty"`
}

// WriteSummary writes summary.json, summary.md and report.html below output.
func WriteSummary(output string, results []Result, options Options) error {
	s := summarise(results, options.Aggregates)
	s.Intervals = map[string]map[string]Interval{}
	for _, r := range results {
		s.Intervals[r.Collection] = r.Intervals
	}
	if others := baselines(results); len(others) > 0 {
		s.Baseline = summarise(others, options.Aggregates)
	}
	if err := writeJSON(filepath.Join(output, "summary.json"), s); err != nil {
		return err
	}
	err := atomicfile.Write(filepath.Join(output, "summary.md"), func(w io.Writer) error {
		_, err := io.WriteString(w, "# "+s.Model+"\n\n"+Table(results, options.Metrics, options.Aggregates...)+
			PublishedTable(results, options))
		return err
	})
	if err != nil {
		return err
	}
	return writePage(filepath.Join(output, "report.html"), results, options)
}

func summarise(results []Result, aggregates []Aggregate) *summary {
	s := &summary{Metrics: map[string]map[string]float64{}, Mean: Mean(results)}
	for _, r := range results {
		s.Model = r.Model
		s.Metrics[r.Collection] = r.Metrics
	}
	for _, mean := range Aggregated(results, aggregates) {
		if s.Means == nil {
			s.Means = map[string]map[string]float64{}
		}
		s.Means[mean.Collection] = mean.Metrics
	}
	return s
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

// Table returns a Markdown table: a row a collection, then the means that are asked for, else that of several collections;
// a column a metric, in the order of measures; and where there is a baseline its value of the first metric, the model's
// difference from it and the p-value of the randomisation test.
func Table(results []Result, measures []Measure, aggregates ...Aggregate) string {
	names := metricNames(measures)
	header, line := "| collection | split | queries | documents | "+strings.Join(names, " | ")+" |", "|---|---|--:|--:|"+strings.Repeat("--:|", len(names))
	baseline := len(baselines(results)) > 0
	if baseline {
		header += fmt.Sprintf(" %s %s | difference | p |", results[0].Baseline.Model, names[0])
		line += "--:|--:|--:|"
	}
	var b strings.Builder
	b.WriteString(header + "\n" + line + "\n")
	for i, r := range withAggregates(results, aggregates) {
		counts := fmt.Sprintf(" %s | %d | %d", r.Split, r.Queries, r.Documents)
		if i >= len(results) {
			counts = " | |"
		}
		fmt.Fprintf(&b, "| %s |%s |%s", r.Collection, counts, cells(r.Metrics, names))
		if baseline {
			b.WriteString(r.beside(names[0]))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// beside are the baseline's cells of a row.
func (r *Result) beside(metric string) string {
	value, p := r.Baseline.Metrics[metric], ""
	if c := r.comparison(metric); c != nil {
		p = " " + FormatP(c.P)
	}
	return fmt.Sprintf(" %.4f | %+.4f |%s |", value, r.Metrics[metric]-value, p)
}

func cells(metrics map[string]float64, names []string) string {
	var b strings.Builder
	for _, name := range names {
		fmt.Fprintf(&b, " %.4f |", metrics[name])
	}
	return b.String()
}

// PublishedTable sets the first metric beside what was published; empty where nothing was.
func PublishedTable(results []Result, options Options) string {
	rows := withAggregates(results, options.Aggregates)
	others, metric := systems(rows), metricNames(options.Metrics)[0]
	if len(others) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n## %s beside published scores\n\n| collection | measured | 95 %% | %s |\n|---|--:|--:|%s\n",
		metric, strings.Join(others, " | "), strings.Repeat("--:|", len(others)))
	for _, r := range rows {
		interval := ""
		if i, ok := r.Intervals[metric]; ok {
			interval = fmt.Sprintf(" %.4f … %.4f", i[0], i[1])
		}
		fmt.Fprintf(&b, "| %s | %.4f |%s |", r.Collection, r.Metrics[metric], interval)
		for _, system := range others {
			if value, ok := r.published(system, metric); ok {
				fmt.Fprintf(&b, " %.4f", value)
			}
			b.WriteString(" |")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// published returns what a system published on the result's task.
func (r *Result) published(system, metric string) (float64, bool) {
	if r.Task == nil {
		return 0, false
	}
	for _, p := range r.Task.Published {
		if value, ok := p.Scores[metric]; ok && p.System == system {
			return value, true
		}
	}
	return 0, false
}

func writeJSON(path string, value any) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(value)
	})
}
