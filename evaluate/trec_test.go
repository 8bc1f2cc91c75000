package evaluate

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"revela/internal/testdata"
)

// TestDataTrecEval repeats the commands of trec_eval's own quicktest (the target of its Makefile) and compares
// every printed line of the measures that there are here.
func TestDataTrecEval(t *testing.T) {
	dir := testdata.Data(t, "trec_eval", "test")
	allMeasures := append([]string{"ndcg", "ndcg_cut", "map_cut", "recall", "success"}, official...)
	tests := []struct {
		want, qrels, run string
		measures         []string
		perQuery         bool
		options          ScoreOptions
		lines            int // of the expected file that must be compared, so that the test cannot pass empty
	}{
		{"out.test", "qrels.test", "results.test", official, false, ScoreOptions{}, 30},
		{"out.test", "qrels.test.with-comments", "results.test", official, false, ScoreOptions{}, 30},
		{"out.comment.test", "qrels.comment.test", "results.comment.test", official, false, ScoreOptions{}, 30},
		{"out.test.a", "qrels.test", "results.test", allMeasures, false, ScoreOptions{}, 61},
		{"out.test.aq", "qrels.test", "results.test", allMeasures, true, ScoreOptions{}, 235},
		{"out.test.aqc", "qrels.test", "results.trunc", allMeasures, true, ScoreOptions{Complete: true}, 235},
		{"out.test.aqcM", "qrels.test", "results.trunc", allMeasures, true, ScoreOptions{Complete: true, Depth: 100}, 235},
		{"out.test.aql", "qrels.rel_level", "results.test", allMeasures, true, ScoreOptions{RelevanceLevel: 2}, 235},
	}
	for _, test := range tests {
		t.Run(test.want+" "+test.qrels, func(t *testing.T) {
			got := printedScores(t, filepath.Join(dir, test.qrels), filepath.Join(dir, test.run), test.measures, test.perQuery, test.options)
			want, err := os.ReadFile(filepath.Join(dir, test.want))
			if err != nil {
				t.Fatal(err)
			}
			expected := printedLines(string(want))
			for key, value := range printedLines(got) {
				if expected[key] != value {
					t.Errorf("%s: got %s, trec_eval prints %q", key, value, expected[key])
				}
			}
			if n := len(printedLines(got)); n != test.lines {
				t.Errorf("compared %d lines, want %d", n, test.lines)
			}
			if test.lines == 30 && got != string(want) {
				t.Errorf("the default set differs in layout:\n%s", got)
			}
		})
	}
}

func printedScores(t *testing.T, qrelsPath, runPath string, names []string, perQuery bool, options ScoreOptions) string {
	t.Helper()
	var out bytes.Buffer
	if err := scoreFile(t, qrelsPath, runPath, names, options).Print(&out, perQuery); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func scoreFile(t *testing.T, qrelsPath, runPath string, names []string, options ScoreOptions) *Scores {
	t.Helper()
	qrels, err := ReadQrels(qrelsPath)
	if err != nil {
		t.Fatal(err)
	}
	run, err := ReadRun(runPath)
	if err != nil {
		t.Fatal(err)
	}
	measures, err := ParseMeasures(names)
	if err != nil {
		t.Fatal(err)
	}
	scores, err := Score(qrels, run, measures, options)
	if err != nil {
		t.Fatal(err)
	}
	return scores
}

// printedLines maps "measure query" to the printed value.
func printedLines(text string) map[string]string {
	lines := map[string]string{}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		lines[fields[0]+" "+fields[1]] = fields[2]
	}
	return lines
}

// TestDataPytrecEval compares the values of every query of trec_eval's own files with pytrec_eval's, to 1e-9.
func TestDataPytrecEval(t *testing.T) {
	dir := testdata.Data(t, "trec_eval", "test")
	content, err := os.ReadFile(filepath.Join("testdata", "trec_eval.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Qrels, Run     string
		RelevanceLevel int                           `json:"relevance_level"`
		Values         map[string]map[string]float64 // query → measure → value
	}
	if err := json.Unmarshal(content, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		compared := 0
		for query, values := range c.Values {
			scores := scoreFile(t, filepath.Join(dir, c.Qrels), filepath.Join(dir, c.Run), sortedKeys(values), ScoreOptions{RelevanceLevel: c.RelevanceLevel})
			row := slices.Index(scores.Queries, query)
			for column, m := range scores.Measures {
				if got, want := scores.PerQuery[row][column], values[m.label]; math.Abs(got-want) > 1e-9 {
					t.Errorf("%s, %s, query %s, %s: got %v, pytrec_eval has %v", c.Qrels, c.Run, query, m.Name, got, want)
				}
				compared++
			}
		}
		if compared < 100 {
			t.Errorf("%s, %s: compared only %d values", c.Qrels, c.Run, compared)
		}
	}
}
