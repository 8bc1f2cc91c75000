package train

import (
	"revela/config"
	"revela/model"
	"revela/torch"
)

// Stepper takes optimiser steps on batches that are at hand, without a run around it: for benchmarks.
type Stepper struct {
	Objective Objective
	optimizer *optimizer
}

// NewStepper returns a stepper over the parameters that learn; Free it.
func NewStepper(o Objective, params []*model.Param) (*Stepper, error) {
	optimizer, err := newOptimizer(config.Default().Train.Optimizer, model.Learning(params))
	return &Stepper{o, optimizer}, err
}

// Step takes one step at a learning rate on one group, gradients clipped to a norm of 1, and returns the group's result.
func (s *Stepper) Step(b *Batch, rate float64) (Result, error) {
	result, err := s.Objective.Step(b, 1)
	if err != nil {
		return result, err
	}
	defer s.optimizer.zero()
	if _, err := clip([][]torch.Tensor{s.optimizer.gradients()}, 1); err != nil {
		return result, err
	}
	return result, s.optimizer.step(rate)
}

// Free gives the optimiser's memory back.
func (s *Stepper) Free() { s.optimizer.free() }
