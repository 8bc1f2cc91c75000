package train

import (
	"fmt"

	"revela/config"
)

// plan is how many groups and steps a run has.
type plan struct {
	groups  int64 // read by all steps
	perStep int   // the last step of epochs that do not divide evenly has fewer
	steps   int
	alone   int // first steps, in which the language model alone learns
}

// newPlan counts the steps of a run over so many groups.
func newPlan(c *config.Config, groups int) (plan, error) {
	p := plan{perStep: c.Train.GroupsPerStep, steps: c.Train.Steps, alone: c.Train.LMOnlySteps}
	p.groups = int64(p.steps) * int64(p.perStep)
	if p.steps == 0 {
		p.groups = int64(c.Train.Epochs) * int64(groups)
		p.steps = int((p.groups + int64(p.perStep) - 1) / int64(p.perStep))
	}
	if p.alone >= p.steps && c.Retriever.Freeze != config.FreezeAll {
		return p, fmt.Errorf("%s: found %d, expected fewer than the run's %d steps: the retriever would never learn",
			at(c, "train.lm_only_steps"), p.alone, p.steps)
	}
	return p, nil
}

// first is the number of the first group of a step, steps counted from 0.
func (p plan) first(step int) int64 { return min(int64(step)*int64(p.perStep), p.groups) }

// groupsIn is the number of groups in a step.
func (p plan) groupsIn(step int) int { return int(p.first(step+1) - p.first(step)) }

// at names a key of the configuration and where it was set, for messages.
func at(c *config.Config, key string) string {
	if place := c.At(key); place != key {
		return place + ": " + key
	}
	return key
}
