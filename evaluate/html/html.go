// Package html draws the page of an evaluation: scores as bars beside the baseline's and published ones, and what changes
// query by query. The page is one file that needs no network, with charts in SVG and no scripts.
package html

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"strings"
)

// Page is an evaluation.
type Page struct {
	Model    string
	Metric   string // the one that is drawn
	Settings []Setting
	Header   []string   // of the table
	Rows     [][]string // as many cells each
	Tasks    []Task
}

// Setting is what the scores were measured with.
type Setting struct{ Name, Value string }

// Task is a collection or a mean of several.
type Task struct {
	Name    string
	Size    string // how many queries and documents, in words
	Bars    []Bar
	Summary string    // of the comparison with the baseline, in words; "": none
	Changes []float64 // by query, the model's value minus the baseline's, ascending
	Worst   []Query   // that lose most
	Best    []Query   // that win most
}

// Bar is a score from 0 to 1.
type Bar struct {
	Label     string
	Source    string // where it stands; "": measured here
	Value     float64
	Low, High float64 // of its interval; both 0: none
	Kind      string  // model, baseline or published
}

// Query is a query's value with the baseline and with the model.
type Query struct {
	ID, Text        string
	Baseline, Model float64
}

//go:embed page.tmpl
var source string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"x": func(value float64) string { return fmt.Sprintf("%.1f", barLeft+barWidth*clamp(value)) }, "width": func(value float64) string {
		return fmt.Sprintf("%.1f", barWidth*clamp(value))
	},
	"y": func(i int) int { return barStep * i }, "height": func(bars []Bar) int { return barStep*len(bars) + 4 },
	"score": func(value float64) string { return fmt.Sprintf("%.4f", value) }, "area": area,
	"change": func(q Query) string { return fmt.Sprintf("%+.4f", q.Model-q.Baseline) },
	"short":  func(label string) string { return short(label, 34) },
}).Parse(source))

// Write writes the page.
func Write(w io.Writer, p Page) error {
	if err := page.Execute(w, p); err != nil {
		return fmt.Errorf("draw page: %w", err)
	}
	return nil
}

// The charts' geometry, in pixels of an SVG 720 wide.
const (
	barLeft, barWidth, barStep        = 230, 430, 22
	changeWidth, changeHeight, middle = 720, 120, 60
)

func clamp(value float64) float64 { return math.Min(math.Max(value, 0), 1) }

func short(text string, limit int) string {
	if runes := []rune(text); len(runes) > limit {
		return string(runes[:limit-1]) + "…"
	}
	return text
}

// area is the path of the sorted changes above (positive) or below the middle, a step a query; more queries than pixels
// share one, of which the one furthest from 0 is drawn.
func area(changes []float64, positive bool) string {
	columns := min(len(changes), changeWidth)
	var b strings.Builder
	for column := range columns {
		furthest := 0.0
		for _, change := range changes[column*len(changes)/columns : (column+1)*len(changes)/columns] {
			if math.Abs(change) > math.Abs(furthest) {
				furthest = change
			}
		}
		if furthest == 0 || furthest > 0 != positive {
			continue
		}
		width := float64(changeWidth) / float64(columns)
		fmt.Fprintf(&b, "M%.1f %dh%.1fv%.1fh%.1fz", float64(column)*width, middle, width, -furthest*middle, -width)
	}
	return b.String()
}
