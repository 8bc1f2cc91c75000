package train

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"revela/config"
	"revela/encode"
	"revela/evaluate"
	"revela/evaluate/tasks"
)

// scorer measures the retriever during training.
type scorer struct {
	collections []*evaluate.Collection
	options     evaluate.Options
}

// newScorer opens the collections; nil where nothing is to be measured.
func newScorer(c *config.Config, progress func(stage string, done, total int)) (*scorer, error) {
	if c.Train.EvaluateEvery == 0 {
		return nil, nil
	}
	measures, err := evaluate.ParseMeasures(c.Evaluate.Metrics)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at(c, "evaluate.metrics"), err)
	}
	s := &scorer{options: evaluate.Options{Metrics: measures,
		SearchOptions: evaluate.SearchOptions{TopK: c.Evaluate.TopK, Progress: progress}}}
	var problems []error
	opener := tasks.Opener{Mirror: os.Getenv("REVELA_MIRROR"), Protocol: c.Evaluate.Protocol}
	for i, name := range c.Evaluate.Collections {
		opened, err := opener.Collections(context.Background(), name, c.Evaluate.Split)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", at(c, fmt.Sprintf("evaluate.collections[%d]", i)), err))
			continue
		}
		s.collections = append(s.collections, opened...)
	}
	return s, errors.Join(problems...)
}

// Evaluation is a line of evaluations.jsonl: what one collection gave after a step.
type Evaluation struct {
	Step    int     `json:"step"`
	Seconds float64 `json:"seconds"` // for all collections, writing the model included
	evaluate.Result
}

// evaluate scores what would be written if the run ended here.
func (t *trainer) evaluate(ctx context.Context) error {
	started := time.Now()
	results, err := t.score(ctx)
	if err != nil {
		return fmt.Errorf("evaluate after step %d: %w", t.done, err)
	}
	for _, r := range results {
		if err := t.evaluations.append(Evaluation{Step: t.done, Seconds: time.Since(started).Seconds(), Result: r}); err != nil {
			return err
		}
	}
	t.log("after step %d:\n%s", t.done, evaluate.Table(results, t.scorer.options.Metrics))
	return nil
}

func (t *trainer) score(ctx context.Context) (results []evaluate.Result, err error) {
	dir, err := os.MkdirTemp(string(t.folder), "."+modelDir+".*.tmp")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, modelDir)
	if err := t.export(path); err != nil {
		return nil, err
	}
	encoder, err := openForScoring(ctx, path, t.in.config.Evaluate)
	if err != nil {
		return nil, err
	}
	defer encoder.Close()
	encoder.Model = fmt.Sprintf("%s after step %d", t.folder, t.done)
	results, err = evaluate.Evaluate(ctx, evaluate.Dense{Encoder: encoder, Product: encode.Product}, t.scorer.collections, t.scorer.options)
	for i := range results {
		results[i].Settings["protocol"] = t.in.config.Evaluate.Protocol
	}
	return results, err
}

// openForScoring opens a written model as `revela evaluate` does.
func openForScoring(ctx context.Context, path string, c config.Evaluate) (*encode.Encoder, error) {
	o := encode.OpenOptions{Model: path, Precision: c.Precision, BatchTokens: c.BatchTokens, MaxLength: c.MaxLength, Search: true}
	if c.Protocol == "paper" {
		o.Paper()
	}
	return encode.Open(ctx, o)
}
