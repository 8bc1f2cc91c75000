package train

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"time"

	"revela/config"
	"revela/model"
	"revela/torch"
)

// trainer is a run under way.
type trainer struct {
	in      *inputs
	plan    plan
	record  record
	folder  runFolder
	options RunOptions
	scorer  *scorer // nil where nothing is measured during training

	learners    []*learner // the retriever first
	objective   Objective
	again       bool // activations are computed again in backward
	batcher     *Batcher
	metrics     *lineLog
	evaluations *lineLog // nil without a scorer

	done  int // optimiser steps
	saved int // steps of the newest checkpoint
}

// load loads the models as they are at the start of the run or in the checkpoint to continue.
func (t *trainer) load(from start) error {
	c := t.in.config
	if err := torch.Seed(uint64(c.Seed)); err != nil {
		return err
	}
	recipes := []recipe{retrieverRecipe(t.in)}
	schedules := []Schedule{retrieverSchedule(c, t.plan.steps)}
	if t.in.lm != nil {
		recipes, schedules = append(recipes, lmRecipe(t.in)), append(schedules, lmSchedule(c, t.plan.steps))
	}
	for i, r := range recipes {
		dir := ""
		if from.dir != "" {
			dir = filepath.Join(from.dir, r.name)
		}
		l, err := r.newLearner(t.in, dir, schedules[i])
		if err != nil {
			return err
		}
		t.learners = append(t.learners, l)
	}
	if err := t.build(from); err != nil || from.dir == "" {
		return err
	}
	t.log("continuing after step %d of %d, from %s", t.done, t.plan.steps, from.dir)
	if err := t.loadOptimizers(filepath.Join(from.dir, optimizerFile)); err != nil {
		return fmt.Errorf("read checkpoint: %w", err)
	}
	return nil
}

// build makes the objective of the loaded models. Where activations are computed again, sums are rounded otherwise, so `auto`
// stays what it was when the run began.
func (t *trainer) build(from start) error {
	retriever := &model.Retriever{Network: t.learners[0].network, Tokenizer: t.in.retriever.tokenizer, RetrieverSettings: t.in.settings}
	if err := retriever.Check(); err != nil {
		return fmt.Errorf("retriever: %w", err)
	}
	models := Models{Retriever: retriever}
	if t.in.lm != nil {
		lm, ok := t.learners[1].network.(*model.LanguageModel)
		if !ok {
			return fmt.Errorf("language model: %T found", t.learners[1].network)
		}
		models.LM, models.LMTokenizer = lm, t.in.lm.tokenizer
	}
	learning := int64(0)
	for _, l := range t.learners {
		learning += l.optimizer.size()
	}
	if t.again = from.state.Again; from.dir == "" || t.in.config.Train.ActivationCheckpointing != config.Auto {
		t.again = recompute(t.in.config, models, t.in.compute, learning)
	}
	t.objective = newObjective(t.in.config, models, t.again)
	t.batcher = newBatcher(t.in.config, models)
	t.log("%d steps, %d groups to read from; %d parameters learn, products in %s; activations are %s", t.plan.steps,
		t.in.groups.Len(), learning, t.in.config.Precision,
		map[bool]string{true: "computed again in the backward pass", false: "kept"}[t.again])
	return nil
}

func (t *trainer) log(format string, args ...any) { t.options.Log(fmt.Sprintf(format, args...)) }

// free gives everything back.
func (t *trainer) free() {
	for _, l := range t.learners {
		l.free()
	}
	for _, log := range []*lineLog{t.metrics, t.evaluations} {
		if log != nil {
			log.Close()
		}
	}
}

// steps does the steps that are left. When ctx is cancelled, the current one is finished and a checkpoint written.
func (t *trainer) steps(ctx context.Context, summary *Summary) error {
	reading, stop := context.WithCancel(context.Background()) // not ctx: the current step needs its groups
	defer stop()
	groups := readAhead(reading, t.in.groups, t.batcher, t.plan.first(t.done), t.plan.groups, 2*t.plan.perStep)
	for t.done < t.plan.steps {
		if ctx.Err() != nil {
			return t.interrupted(ctx)
		}
		m, err := t.step(groups)
		if err != nil {
			return fmt.Errorf("step %d: %w", t.done+1, err)
		}
		t.done++
		if err := t.report(m); err != nil {
			return err
		}
		summary.Loss = m.Loss
		summary.Seconds += m.Seconds
		if err := t.afterStep(ctx); err != nil {
			return err
		}
	}
	return nil
}

// afterStep measures and saves where it is time to.
func (t *trainer) afterStep(ctx context.Context) error {
	c := t.in.config.Train
	if t.scorer != nil && t.done%c.EvaluateEvery == 0 && ctx.Err() == nil {
		if err := t.evaluate(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
	if c.SaveEvery > 0 && t.done%c.SaveEvery == 0 {
		return t.saveCheckpoint()
	}
	return nil
}

// interrupted saves what has been done.
func (t *trainer) interrupted(ctx context.Context) error {
	if t.saved != t.done {
		if err := t.saveCheckpoint(); err != nil {
			return err
		}
	}
	if t.done > 0 {
		t.log("interrupted; the same command continues after step %d of %d, from %s", t.done, t.plan.steps, t.folder.checkpoint(t.done))
	}
	return fmt.Errorf("interrupted after step %d of %d: %w", t.done, t.plan.steps, context.Cause(ctx))
}

// step does one optimiser step.
func (t *trainer) step(groups <-chan prepared) (Metrics, error) {
	started := time.Now()
	n := t.plan.groupsIn(t.done)
	m := Metrics{Step: t.done + 1, Groups: n, Epoch: float64(t.plan.first(t.done+1)) / float64(t.in.groups.Len())}
	if revela, ok := t.objective.(*Revela); ok {
		revela.LMOnly = t.done < t.plan.alone
	}
	for range n {
		r, err := t.group(<-groups, 1/float64(n))
		if err != nil {
			return m, err
		}
		m.Loss += r.Loss / float64(n)
		m.WeightEntropy += r.Entropy / float64(n)
		m.Tokens += r.Tokens
	}
	if err := t.update(&m); err != nil {
		return m, err
	}
	m.Seconds = time.Since(started).Seconds()
	m.TokensPerSecond = float64(m.Tokens) / m.Seconds
	m.ResidentBytes = torch.ResidentBytes()
	memory, err := torch.ReadDeviceMemory(true)
	m.DeviceBytes = memory.Peak
	return m, err
}

// group adds the gradient of a group's loss.
func (t *trainer) group(p prepared, share float64) (Result, error) {
	if p.err != nil {
		return Result{}, p.err
	}
	r, err := t.objective.Step(p.batch, share)
	if err == nil && (math.IsNaN(r.Loss) || math.IsInf(r.Loss, 0)) {
		err = fmt.Errorf("the loss is %v, expected a finite number (a lower learning rate may help)", r.Loss)
	}
	if torch.OutOfMemory(err) {
		err = fmt.Errorf("%w (train.activation_checkpointing: on, smaller groups or shorter texts take less)", err)
	}
	if err != nil {
		return r, fmt.Errorf("%s:%d: %w", p.group.File, p.group.Line, err)
	}
	return r, nil
}

// update clips the gradients and lets every model that learns in this step take it.
func (t *trainer) update(m *Metrics) error {
	lists := [][]torch.Tensor{nil}
	for i, l := range t.learners {
		if t.in.config.Train.Clip == "each" && i > 0 {
			lists = append(lists, nil)
		}
		lists[len(lists)-1] = append(lists[len(lists)-1], l.optimizer.gradients()...)
	}
	var err error
	if m.GradNorm, err = clip(lists, t.in.config.Train.MaxGradNorm); err != nil {
		return err
	}
	if math.IsNaN(m.GradNorm) || math.IsInf(m.GradNorm, 0) {
		return fmt.Errorf("the gradient's norm is %v, expected a finite number (a lower learning rate may help)", m.GradNorm)
	}
	rates := []*float64{&m.LearningRate.Retriever, &m.LearningRate.LM}
	for i, l := range t.learners {
		if !l.learns() {
			continue
		}
		*rates[i] = l.schedule.At(t.done)
		if err := l.optimizer.step(*rates[i]); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		l.optimizer.zero()
	}
	return nil
}

// report writes the step's line and tells the listeners.
func (t *trainer) report(m Metrics) error {
	if err := t.metrics.append(m); err != nil {
		return err
	}
	if t.options.Step != nil {
		t.options.Step(m, t.plan.steps)
	}
	if m.Step%t.in.config.Train.LogEvery == 0 || m.Step == t.plan.steps {
		t.log("step %d of %d: loss %.4f, gradient norm %.3g, learning rates %.3g and %.3g, %.0f tokens/s", m.Step, t.plan.steps,
			m.Loss, m.GradNorm, m.LearningRate.Retriever, m.LearningRate.LM, m.TokensPerSecond)
	}
	return nil
}
