package train

import (
	"cmp"
	"context"
	"fmt"
	"runtime"

	"revela/config"
	"revela/internal/atomicfile"
	"revela/model/checkpoint"
	"revela/torch"
)

// RunOptions are what a run tells to whom while it goes on; every function may be nil.
type RunOptions struct {
	Version    string                              // of the program, for the record
	Progress   checkpoint.Progress                 // hears of downloads, in bytes
	Evaluating func(stage string, done, total int) // hears of evaluations during training, in texts
	Step       func(m Metrics, steps int)          // hears of every optimiser step
	Log        func(line string)                   // hears what a person wants to know
}

// Summary is what a run came to.
type Summary struct {
	Output     string  `json:"output"`
	Model      string  `json:"model"`      // folder of the trained retriever; "" before the run has finished
	Checkpoint string  `json:"checkpoint"` // the newest; "" for none
	Step       int     `json:"step"`       // optimiser steps done
	Steps      int     `json:"steps"`      // of the whole run
	Resumed    int     `json:"resumed"`    // step after which this call went on
	Loss       float64 `json:"loss"`       // of the last step of this call
	Seconds    float64 `json:"seconds"`    // of this call's steps
	Repeated   bool    `json:"repeated"`   // the run had finished before; nothing was done
}

// Run trains as the configuration says and writes the run folder. Cancelling ctx ends it after the current step, with a
// checkpoint and an error that wraps ctx's; the summary then says how far it came.
func Run(ctx context.Context, c *config.Config, o RunOptions) (Summary, error) {
	if o.Log == nil {
		o.Log = func(string) {}
	}
	// libtorch keeps modes and errors per OS thread, and a team of threads for each that computes: once there are more threads
	// than cores in all teams together, they no longer wait for work but sleep, and waking them costs a tenth of a step
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	summary := Summary{Output: c.Output}
	folder, err := openRunFolder(c.Output)
	if err != nil {
		return summary, err
	}
	// a number, not 0: what encoding sets in passing must not stay, and the same number gives the same sums
	torch.SetThreads(cmp.Or(c.Threads, runtime.GOMAXPROCS(0)))
	in, err := findInputs(ctx, c, o.Progress)
	if err != nil {
		return summary, err
	}
	defer in.groups.Close()
	t := &trainer{in: in, folder: folder, options: o}
	defer t.free()
	if err := t.prepare(&summary); err != nil || summary.Repeated {
		return summary, err
	}
	err = t.finish(ctx, &summary)
	summary.Step = t.done
	if t.saved > 0 {
		summary.Checkpoint = folder.checkpoint(t.saved)
	}
	return summary, err
}

// prepare finds out where to begin, loads the models and opens the run folder's files.
func (t *trainer) prepare(summary *Summary) error {
	c := t.in.config
	var err error
	if t.plan, err = newPlan(c, t.in.groups.Len()); err != nil {
		return err
	}
	if t.scorer, err = newScorer(c, t.options.Evaluating); err != nil {
		return err
	}
	if t.record, err = newRecord(t.in, t.options.Version); err != nil {
		return err
	}
	from, err := findStart(t.folder, c, t.record, t.options.Log)
	if err != nil {
		return err
	}
	t.done, t.saved = from.state.Step, from.state.Step
	summary.Step, summary.Steps, summary.Resumed, summary.Checkpoint = t.done, t.plan.steps, t.done, from.dir
	if from.state.Finished {
		summary.Model, summary.Repeated = t.folder.path(modelDir), true
		t.log("%s: finished before, after %d steps; train.resume: never trains again", t.folder, t.done)
		return nil
	}
	if err := t.load(from); err != nil {
		return err
	}
	return t.openFiles()
}

// finish runs what is left of the training and writes the model.
func (t *trainer) finish(ctx context.Context, summary *Summary) error {
	if err := t.steps(ctx, summary); err != nil {
		return err
	}
	if t.saved != t.done {
		if err := t.saveCheckpoint(); err != nil {
			return err
		}
	}
	for _, l := range t.learners[1:] { // their memory may be needed to write the retriever
		l.free()
	}
	t.learners = t.learners[:1]
	path := t.folder.path(modelDir)
	if err := t.export(path); err != nil {
		return fmt.Errorf("write the model: %w", err)
	}
	if err := t.state(true).write(t.folder.checkpoint(t.done)); err != nil {
		return err
	}
	summary.Model = path
	t.log("the trained retriever is in %s", path)
	return nil
}

// openFiles writes config.yaml and opens the logs, cut to the steps that the checkpoint has.
func (t *trainer) openFiles() error {
	if err := atomicfile.WriteBytes(t.folder.path(configFile), t.record.yaml); err != nil {
		return err
	}
	if err := t.folder.removeLeftovers(); err != nil {
		return err
	}
	var err error
	if t.metrics, err = openLog(t.folder.path(metricsFile), t.done); err != nil || t.scorer == nil {
		return err
	}
	t.evaluations, err = openLog(t.folder.path(evaluationsFile), t.done)
	return err
}
