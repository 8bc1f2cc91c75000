package evaluate

import (
	"fmt"
	"io"
	"slices"

	"revela/evaluate/html"
	"revela/internal/atomicfile"
)

// shownQueries is how many of the best and of the worst queries the page shows.
const shownQueries = 5

// writePage writes report.html.
func writePage(path string, results []Result, options Options) error {
	page, err := newPage(results, options)
	if err != nil {
		return err
	}
	return atomicfile.Write(path, func(w io.Writer) error { return html.Write(w, page) })
}

func newPage(results []Result, options Options) (html.Page, error) {
	rows, names := withAggregates(results, options.Aggregates), metricNames(options.Metrics)
	page := html.Page{Model: results[0].Model, Metric: names[0], Header: append([]string{"collection"}, names...)}
	for _, name := range sortedKeys(results[0].Settings) {
		page.Settings = append(page.Settings, html.Setting{Name: name, Value: fmt.Sprint(results[0].Settings[name])})
	}
	for _, r := range rows {
		row := []string{r.Collection}
		for _, name := range names {
			row = append(row, fmt.Sprintf("%.4f", r.Metrics[name]))
		}
		page.Rows = append(page.Rows, row)
		task, err := r.task(names[0])
		if err != nil {
			return page, err
		}
		page.Tasks = append(page.Tasks, task)
	}
	return page, nil
}

func (r *Result) task(metric string) (html.Task, error) {
	task := html.Task{Name: r.Collection, Bars: r.bars(metric), Size: "A mean of collections"}
	if r.Scores == nil {
		return task, nil
	}
	task.Size = fmt.Sprintf("%d queries, %d documents", r.Queries, r.Documents)
	c := r.comparison(metric)
	if c == nil {
		return task, nil
	}
	task.Summary = fmt.Sprintf("%+.4f from %s, 95 %% interval %+.4f … %+.4f, p %s (paired bootstrap and randomisation tests); "+
		"%d queries win, %d are equal, %d lose.", c.Difference, r.Baseline.Model, c.Low, c.High, FormatP(c.P), c.Better, c.Equal, c.Worse)
	differences, err := Differences(r.Baseline.Scores, r.Scores, metric)
	if err != nil {
		return task, err
	}
	for _, d := range differences {
		task.Changes = append(task.Changes, d.Second-d.First)
	}
	task.Worst = r.shown(differences, false)
	slices.Reverse(differences)
	task.Best = r.shown(differences, true)
	return task, nil
}

// shown are the first of the queries that changed in the direction asked for.
func (r *Result) shown(differences []Difference, better bool) []html.Query {
	var queries []html.Query
	for _, d := range differences[:min(shownQueries, len(differences))] {
		if d.Second == d.First || d.Second > d.First != better {
			break
		}
		queries = append(queries, html.Query{ID: d.Query, Text: r.texts[d.Query], Baseline: d.First, Model: d.Second})
	}
	return queries
}

// bars are the model's score, the baseline's and the published ones.
func (r *Result) bars(metric string) []html.Bar {
	interval := r.Intervals[metric]
	bars := []html.Bar{{Label: r.Model, Kind: "model", Value: r.Metrics[metric], Low: interval[0], High: interval[1]}}
	if r.Baseline != nil {
		bars = append(bars, html.Bar{Label: r.Baseline.Model, Kind: "baseline", Value: r.Baseline.Metrics[metric]})
	}
	if r.Task == nil {
		return bars
	}
	for _, p := range r.Task.Published {
		if value, ok := p.Scores[metric]; ok {
			bars = append(bars, html.Bar{Label: p.System, Source: p.Source, Kind: "published", Value: value})
		}
	}
	return bars
}
