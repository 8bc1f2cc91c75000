package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"revela/evaluate"
)

// queryValue is the JSON of a query of one run.
type queryValue struct {
	Query string  `json:"query"`
	Text  string  `json:"text,omitempty"`
	Value float64 `json:"value"`
}

// queryList is what --worst and --queries ask for.
type queryList struct {
	n      int
	metric string
	texts  map[string]string // by query; nil: not at hand
	paired bool
}

// newQueryList reads the flags; queries are listed by the first measure.
func newQueryList(ctx *cli.Context, measures []evaluate.Measure) (*queryList, error) {
	l := &queryList{n: ctx.Int("worst"), metric: measures[0].Name, paired: ctx.IsSet("compare")}
	switch {
	case l.n < 0:
		return nil, usagef(ctx, "found --worst %d, expected a number of queries", l.n)
	case !ctx.IsSet("queries"):
		return l, nil
	case l.n == 0:
		return nil, usagef(ctx, "found --queries without --worst, expected both")
	}
	queries, err := readQueries(ctx.String("queries"))
	if err != nil {
		return nil, err
	}
	l.texts = map[string]string{}
	for _, q := range queries {
		l.texts[q.ID] = q.FullText()
	}
	return l, nil
}

// worst returns the queries with the least values.
func (l *queryList) worst(scores *evaluate.Scores) ([]evaluate.Difference, error) {
	if l.n == 0 {
		return nil, nil
	}
	all, err := scores.Worst(l.metric)
	return l.first(all), err
}

// losses returns the queries that lose most from the first run to the second; those that lose nothing are left out.
func (l *queryList) losses(first, second *evaluate.Scores) ([]evaluate.Difference, error) {
	if l.n == 0 {
		return nil, nil
	}
	all, err := evaluate.Differences(first, second, l.metric)
	for i, d := range all {
		if d.Second >= d.First {
			all = all[:i]
			break
		}
	}
	return l.first(all), err
}

func (l *queryList) first(all []evaluate.Difference) []evaluate.Difference {
	all = all[:min(l.n, len(all))]
	for i := range all {
		all[i].Text = l.texts[all[i].Query]
	}
	return all
}

// print lists queries with their values and the beginning of their texts.
func (l *queryList) print(w io.Writer, queries []evaluate.Difference) error {
	if l.n == 0 {
		return nil
	}
	what := fmt.Sprintf("\n%d queries with the least %s:\n", len(queries), l.metric)
	if l.paired {
		what = fmt.Sprintf("\n%d queries that lose most %s:\n", len(queries), l.metric)
	}
	if _, err := io.WriteString(w, what); err != nil {
		return err
	}
	for _, d := range queries {
		values := fmt.Sprintf("%.4f", d.Second)
		if l.paired {
			values = fmt.Sprintf("%+.4f  (%.4f, then %.4f)", d.Second-d.First, d.First, d.Second)
		}
		line := "  " + values + "  " + d.Query + "  " + strings.Join(firstLines(d.Text), " ")
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " ")); err != nil {
			return err
		}
	}
	return nil
}
