package reproduce

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"revela/evaluate"
	"revela/evaluate/tasks"
	"revela/internal/atomicfile"
)

// Score is a published number beside the measured one.
type Score struct {
	Name       string             `json:"name"` // of a task, a group of tasks or a suite
	Published  float64            `json:"published"`
	Measured   float64            `json:"measured"`
	Interval   *evaluate.Interval `json:"interval,omitempty"` // 95 %, of the measured mean over queries
	Difference float64            `json:"difference"`         // measured − published
	Tolerance  float64            `json:"tolerance"`
	Within     bool               `json:"within"`
	Decides    bool               `json:"decides"` // counts for the verdict
}

// Comparison is an experiment's outcome.
type Comparison struct {
	Experiment string   `json:"experiment"`
	Table      int      `json:"table"`  // of the paper; 0 at the scale tiny
	Source     string   `json:"source"` // of the published scores
	Model      string   `json:"model"`
	Protocol   string   `json:"protocol"`
	Metric     string   `json:"metric"`
	Scores     []Score  `json:"scores"`
	Missing    []string `json:"missing,omitempty"` // published, not measured
	Within     bool     `json:"within"`            // the verdict
	Note       string   `json:"note,omitempty"`
	Steps      []Done   `json:"steps"`
}

// OutsideError says that a measured score lies further from the published one than the tolerance.
type OutsideError struct {
	Experiment string
	Score      Score
}

// Error implements error.
func (e *OutsideError) Error() string {
	return fmt.Sprintf("%s: %s: measured %.4f, published %.4f: the difference %+.4f is outside the tolerance of %.4f",
		e.Experiment, e.Score.Name, e.Score.Measured, e.Score.Published, e.Score.Difference, e.Score.Tolerance)
}

// Verdict is nil, or an [OutsideError] for the first deciding score that lies outside its tolerance.
func (c *Comparison) Verdict() error {
	for _, s := range c.Scores {
		if s.Decides && !s.Within {
			return &OutsideError{c.Experiment, s}
		}
	}
	return nil
}

// Compare holds what the plan's evaluation measured against what was published, and writes comparison.json and comparison.md
// to its folder. The suite's mean decides where both have it, else every single score does.
func (p *Plan) Compare(r *Record) (*Comparison, error) {
	registry, err := tasks.Load()
	if err != nil {
		return nil, err
	}
	measured, err := readMeasured(p.Folder, registry.Metric)
	if err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	published, source := p.published(registry)
	c := &Comparison{Experiment: p.Name, Table: p.Table, Source: source, Model: measured.model, Protocol: p.Protocol(),
		Metric: registry.Metric, Note: p.Corpus.Note, Steps: r.Steps}
	if p.Tiny {
		c.Table, c.Note = 0, ""
	}
	for _, name := range slices.Sorted(maps.Keys(published)) {
		value, ok := measured.scores[tasks.CollectionName(name)]
		if !ok {
			c.Missing = append(c.Missing, name)
			continue
		}
		s := Score{Name: name, Published: published[name], Measured: value, Difference: value - published[name], Tolerance: p.tolerance(name)}
		if interval, ok := measured.intervals[tasks.CollectionName(name)]; ok {
			s.Interval = &interval
		}
		s.Within = math.Abs(s.Difference) <= s.Tolerance
		c.Scores = append(c.Scores, s)
	}
	if len(c.Scores) == 0 {
		return nil, fmt.Errorf("compare: %s: nothing that was published has been measured", p.Name)
	}
	c.decide(p.Suite)
	return c, c.write(p.Folder)
}

// decide says which scores count.
func (c *Comparison) decide(suite string) {
	hasMean := slices.ContainsFunc(c.Scores, func(s Score) bool { return s.Name == suite })
	for i := range c.Scores {
		c.Scores[i].Decides = !hasMean || c.Scores[i].Name == suite
	}
	c.Within = c.Verdict() == nil
}

func (p *Plan) tolerance(name string) float64 {
	t := p.Corpus.Tolerance
	switch {
	case p.Tiny:
		return tinyTolerance
	case p.Options.Published:
		t = p.Corpus.Published
	}
	if name == p.Suite {
		return t.Mean
	}
	return t.Task
}

// published are the published scores of the suite and its parts, and where they stand.
func (p *Plan) published(registry *tasks.Registry) (scores map[string]float64, source string) {
	if p.Tiny {
		return map[string]float64{tinyName: tinyScore}, "this program, at the scale tiny"
	}
	scores, source = map[string]float64{}, fmt.Sprintf("arXiv 2506.16552, table %d", p.Table)
	for _, name := range partsOf(registry, p.Suite) {
		for _, published := range registry.PublishedScores(name) {
			if published.System == p.System {
				scores[name] = published.Scores[registry.Metric]
			}
		}
	}
	maps.Copy(scores, p.Scores)
	return scores, source
}

// partsOf are a suite and what it is the mean of.
func partsOf(registry *tasks.Registry, suite string) []string {
	names := []string{suite}
	for _, s := range registry.Suites {
		if s.Name == suite {
			names = append(names, s.Of...)
		}
	}
	for _, g := range registry.Groups {
		if slices.Contains(names, g.Name) {
			names = append(names, g.Of...)
		}
	}
	return names
}

// PublishedMean is the published mean of the experiment's suite; false where only single tasks were published.
func (e Experiment) PublishedMean(registry *tasks.Registry) (float64, bool) {
	scores, _ := (&Plan{Experiment: e}).published(registry)
	mean, ok := scores[e.Suite]
	return mean, ok
}

// measurement is what an evaluation left.
type measurement struct {
	model     string
	scores    map[string]float64 // by name of collection, task or suite
	intervals map[string]evaluate.Interval
}

func readMeasured(dir, metric string) (*measurement, error) {
	path := filepath.Join(dir, "summary.json")
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var summary struct {
		Model          string
		Metrics, Means map[string]map[string]float64
		Intervals      map[string]map[string]evaluate.Interval
	}
	if err := json.Unmarshal(content, &summary); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	m := &measurement{summary.Model, map[string]float64{}, map[string]evaluate.Interval{}}
	for _, source := range []map[string]map[string]float64{summary.Metrics, summary.Means} {
		for name, metrics := range source {
			if value, ok := metrics[metric]; ok {
				m.scores[name] = value
			}
		}
	}
	for name, intervals := range summary.Intervals {
		if interval, ok := intervals[metric]; ok {
			m.intervals[name] = interval
		}
	}
	return m, nil
}

func (c *Comparison) write(dir string) error {
	content, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("write the comparison: %w", err)
	}
	if err := atomicfile.WriteBytes(filepath.Join(dir, "comparison.json"), append(content, '\n')); err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(dir, "comparison.md"), func(w io.Writer) error {
		_, err := io.WriteString(w, c.Markdown())
		return err
	})
}

// Markdown is the comparison as a page.
func (c *Comparison) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s of %s, protocol %s, beside %s.\n\n", c.Experiment, c.Metric, c.Model, c.Protocol, c.Source)
	b.WriteString("| | published | measured | 95 % interval | difference | tolerance | |\n|---|--:|--:|--:|--:|--:|---|\n")
	for _, s := range c.Scores {
		interval := ""
		if s.Interval != nil {
			interval = fmt.Sprintf("%.4f – %.4f", s.Interval[0], s.Interval[1])
		}
		fmt.Fprintf(&b, "| %s | %.3f | %.4f | %s | %+.4f | %.3f | %s |\n", s.Name, s.Published, s.Measured, interval, s.Difference, s.Tolerance, s.verdict())
	}
	verdict := "within"
	if !c.Within {
		verdict = "outside"
	}
	fmt.Fprintf(&b, "\nThe experiment is **%s** its tolerance.\n", verdict)
	if len(c.Missing) > 0 {
		fmt.Fprintf(&b, "Published, not measured: %s.\n", strings.Join(c.Missing, ", "))
	}
	if c.Note != "" {
		fmt.Fprintf(&b, "\n%s\n", strings.TrimSpace(c.Note))
	}
	b.WriteString("\n| step | seconds | command |\n|---|--:|---|\n")
	for _, s := range c.Steps {
		fmt.Fprintf(&b, "| %s | %.1f | `revela %s` |\n", s.Name, s.Seconds, strings.ReplaceAll(Shell(s.Command), "|", `\|`))
	}
	return b.String()
}

func (s Score) verdict() string {
	verdict := "within"
	if !s.Within {
		verdict = "outside"
	}
	if !s.Decides {
		verdict += ", does not decide"
	}
	return verdict
}
