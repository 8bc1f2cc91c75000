// Package evaluate measures retrieval: it reads collections, searches them with a model, scores the
// ranking by trec_eval's rules and writes results.
//
// A [Collection] is a folder in BEIR layout. A [Retriever] ranks its documents for every judged query: a
// [Dense] one encodes texts and searches exactly, [BM25] is the lexical baseline. [Score] computes the
// measures of a [Run] against [Qrels]; [Evaluate] does all of it and writes JSON, TREC runs, a table, a page of charts and
// mteb's files.
package evaluate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Options are the settings of an evaluation.
type Options struct {
	SearchOptions
	Metrics  []Measure
	Complete bool           // queries without results count 0
	Output   string         // the run folder that is written to; "": nothing is written
	Warn     func(s string) // hears what is left out; nil: nobody does

	Baseline   Retriever   // is measured as well and compared with; nil: none
	Seed       uint64      // of intervals and tests
	Aggregates []Aggregate // means to report beside the collections
}

// Evaluate is [EvaluateEach] over collections that are open.
func Evaluate(ctx context.Context, r Retriever, collections []*Collection, options Options) ([]Result, error) {
	return EvaluateEach(ctx, r, Opened(collections), options)
}

// EvaluateEach opens one collection after the other, searches it and scores what is found. Below Output it writes, as soon
// as a collection is done, its run and judgements (runs/), result (results/) and mteb's file (mteb/), at the end
// summary.json, summary.md and report.html. Collections that cannot be opened do not stop it: they are in the error, which
// comes with the results of the others.
func EvaluateEach(ctx context.Context, r Retriever, entries []Entry, options Options) ([]Result, error) {
	if err := checkNames(entries); err != nil {
		return nil, err
	}
	var results []Result
	problems, err := OpenEach(ctx, entries, func(c *Collection) error {
		if len(results) == 0 { // not before: a mistake leaves no empty folder
			if err := checkWritable(options.Output); err != nil {
				return err
			}
		}
		result, err := evaluateOne(ctx, r, c, options)
		if err != nil {
			return fmt.Errorf("evaluate %s: %w", c.Name, err)
		}
		results = append(results, *result)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if options.Output != "" && len(results) > 0 {
		problems = append(problems, WriteSummary(options.Output, results, options))
	}
	return results, errors.Join(problems...)
}

// OpenEach opens one collection after the other for visit, whose error ends it, as does ctx. Collections that cannot be
// opened do not: they are the problems.
func OpenEach(ctx context.Context, entries []Entry, visit func(c *Collection) error) (problems []error, err error) {
	for _, entry := range entries {
		c, err := entry.Open(ctx)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			problems = append(problems, err)
			continue
		}
		if err := visit(c); err != nil {
			return nil, err
		}
	}
	return problems, nil
}

func evaluateOne(ctx context.Context, r Retriever, c *Collection, options Options) (*Result, error) {
	var baseline *Baseline
	if options.Baseline != nil {
		var err error
		if baseline, err = measureBaseline(ctx, c, options); err != nil {
			return nil, err
		}
	}
	start := time.Now()
	run, err := r.Search(ctx, c, options.SearchOptions)
	if err != nil {
		return nil, err
	}
	seconds := time.Since(start).Seconds()
	scores, err := Score(c.Qrels, run, options.Metrics, ScoreOptions{Complete: options.Complete})
	if err != nil {
		return nil, err
	}
	if options.Warn != nil {
		for _, warning := range slices.Concat(c.Notes, scores.Warnings(options.Complete)) {
			options.Warn(c.Name + ": " + warning)
		}
	}
	result := &Result{
		Collection: c.Name, Split: c.Split, Model: r.Name(), Metrics: scores.Metrics(), Intervals: scores.Intervals(options.Seed),
		Queries: len(scores.Queries), Documents: len(c.IDs), Seconds: seconds, Settings: settings(r, c, options),
		Scores: scores, Task: c.Task, texts: c.texts(),
	}
	if err := result.compare(baseline, options.Seed); err != nil {
		return nil, err
	}
	if options.Output == "" {
		return result, nil
	}
	return result, writeResult(options.Output, r, c, run, result)
}

// settings are the retriever's and what else decides a result.
func settings(r Retriever, c *Collection, options Options) map[string]any {
	all := map[string]any{}
	maps.Copy(all, r.Settings())
	all["top_k"] = options.TopK
	all["remove_identical"] = options.RemoveIdentical || c.RemoveIdentical
	all["complete"] = options.Complete
	if len(c.Excluded) > 0 {
		all["excluded_documents"] = true
	}
	return all
}

// measureBaseline searches with the baseline and writes its run below runs/<baseline>.
func measureBaseline(ctx context.Context, c *Collection, options Options) (*Baseline, error) {
	search := options.SearchOptions
	if report := options.Progress; report != nil {
		search.Progress = func(stage string, done, total int) { report(options.Baseline.Name()+" "+stage, done, total) }
	}
	run, err := options.Baseline.Search(ctx, c, search)
	if err != nil {
		return nil, fmt.Errorf("baseline: %w", err)
	}
	scores, err := Score(c.Qrels, run, options.Metrics, ScoreOptions{Complete: options.Complete})
	if err != nil {
		return nil, fmt.Errorf("baseline: %w", err)
	}
	b := &Baseline{Model: options.Baseline.Name(), Metrics: scores.Metrics(), Scores: scores}
	if options.Output == "" {
		return b, nil
	}
	return b, WriteRun(filepath.Join(options.Output, "runs", fileName(b.Model), c.Name+".trec"), run)
}

// checkNames rejects collections whose results would overwrite each other's.
func checkNames(entries []Entry) error {
	seen := map[string]string{}
	for _, e := range entries {
		if first, clash := seen[e.Name]; clash {
			return fmt.Errorf("evaluate: two collections are named %q: %s and %s", e.Name, first, e.Place)
		}
		seen[e.Name] = e.Place
	}
	if len(entries) == 0 {
		return fmt.Errorf("evaluate: no collection named")
	}
	return nil
}

// checkWritable finds out before hours of work whether the results can be written.
func checkWritable(output string) error {
	if output == "" {
		return nil
	}
	if err := os.MkdirAll(output, 0o755); err != nil {
		return fmt.Errorf("evaluate: create output folder: %w", err)
	}
	probe, err := os.CreateTemp(output, ".probe.*")
	if err != nil {
		return fmt.Errorf("evaluate: write to output folder: %w", err)
	}
	if err := probe.Close(); err != nil {
		return fmt.Errorf("evaluate: write to output folder: %w", err)
	}
	return os.Remove(probe.Name())
}
