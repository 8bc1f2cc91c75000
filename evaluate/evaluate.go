// Package evaluate measures retrieval: it reads collections, searches them with a model, scores the
// ranking by trec_eval's rules and writes results.
//
// A [Collection] is a folder in BEIR layout. A [Retriever] ranks its documents for every judged query: a
// [Dense] one encodes texts and searches exactly, [BM25] is the lexical baseline. [Score] computes the
// measures of a [Run] against [Qrels]; [Evaluate] does all of it and writes JSON, TREC runs and a table.
package evaluate

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
)

// Options are the settings of an evaluation.
type Options struct {
	SearchOptions
	Metrics  []Measure
	Complete bool           // queries without results count 0
	Output   string         // the run folder that is written to; "": nothing is written
	Warn     func(s string) // hears what is left out; nil: nobody does

	Aggregates []Aggregate // means to report beside the collections
}

// Result is what one collection gave.
type Result struct {
	Collection string             `json:"collection"`
	Split      string             `json:"split"`
	Model      string             `json:"model"`
	Metrics    map[string]float64 `json:"metrics"` // unrounded
	Queries    int                `json:"queries"` // that the metrics are means over
	Documents  int                `json:"documents"`
	Settings   map[string]any     `json:"settings"`
	Scores     *Scores            `json:"-"` // per query
	Task       *Task              `json:"-"` // of a benchmark; nil: none
}

// Evaluate searches the collections and scores what is found. Below Output it writes runs/<collection>.trec and
// results/<collection>.json as soon as a collection is done, summary.json and summary.md at the end.
func Evaluate(ctx context.Context, r Retriever, collections []*Collection, options Options) ([]Result, error) {
	if err := checkNames(collections); err != nil {
		return nil, err
	}
	if err := checkWritable(options.Output); err != nil {
		return nil, err
	}
	var results []Result
	for _, c := range collections {
		result, err := evaluateOne(ctx, r, c, options)
		if err != nil {
			return nil, fmt.Errorf("evaluate %s: %w", c.Name, err)
		}
		results = append(results, *result)
	}
	if options.Output == "" {
		return results, nil
	}
	return results, WriteSummary(options.Output, results, options.Metrics)
}

func evaluateOne(ctx context.Context, r Retriever, c *Collection, options Options) (*Result, error) {
	run, err := r.Search(ctx, c, options.SearchOptions)
	if err != nil {
		return nil, err
	}
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
		Collection: c.Name, Split: c.Split, Model: r.Name(), Metrics: scores.Metrics(), Queries: len(scores.Queries),
		Documents: len(c.IDs), Settings: maps.Clone(r.Settings()), Scores: scores, Task: c.Task,
	}
	if result.Settings == nil {
		result.Settings = map[string]any{}
	}
	result.Settings["top_k"] = options.TopK
	result.Settings["remove_identical"] = options.RemoveIdentical
	result.Settings["complete"] = options.Complete
	if options.Output == "" {
		return result, nil
	}
	return result, writeResult(options.Output, run, result)
}

// checkNames rejects collections whose results would overwrite each other's.
func checkNames(collections []*Collection) error {
	seen := map[string]string{}
	for _, c := range collections {
		if first, clash := seen[c.Name]; clash {
			return fmt.Errorf("evaluate: two collections are named %q: %s and %s", c.Name, first, c.Place())
		}
		seen[c.Name] = c.Place()
	}
	if len(collections) == 0 {
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
