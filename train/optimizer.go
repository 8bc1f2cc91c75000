package train

import (
	"fmt"
	"math"

	"revela/config"
	"revela/model"
	"revela/torch"
)

// optimizer is AdamW over the learning parameters of one model. Parameters and moments are fp32.
type optimizer struct {
	settings torch.AdamW
	params   []*model.Param
	moments  []moments // of params
}

// moments are what AdamW keeps of a parameter.
type moments struct {
	mean, square torch.Tensor // of its gradients, in its shape
	steps        torch.Tensor // [1], steps taken
}

// newOptimizer starts with moments of 0.
func newOptimizer(c config.Optimizer, params []*model.Param) (*optimizer, error) {
	o := &optimizer{
		settings: torch.AdamW{Beta1: c.Beta1, Beta2: c.Beta2, Epsilon: c.Epsilon, WeightDecay: c.WeightDecay},
		params:   params,
	}
	s := torch.NewScope()
	defer s.Close()
	for _, p := range params {
		o.moments = append(o.moments, moments{
			mean:   s.Keep(s.Zeros(torch.Float32, p.Shape...)),
			square: s.Keep(s.Zeros(torch.Float32, p.Shape...)),
			steps:  s.Keep(s.Zeros(torch.Float32, 1)),
		})
	}
	if err := s.Err(); err != nil {
		o.free()
		return nil, fmt.Errorf("start optimizer: %w", err)
	}
	return o, nil
}

// step updates the parameters that have a gradient, in two fused calls: biases and norms, which are the parameters of one
// dimension, do not decay.
func (o *optimizer) step(rate float64) error {
	for _, decays := range []bool{true, false} {
		settings := o.settings
		settings.LearningRate = rate
		if !decays {
			settings.WeightDecay = 0
		}
		var params, grads, mean, square, steps []torch.Tensor
		for i, p := range o.params {
			if !p.Grad.Defined() || (len(p.Shape) > 1) != decays {
				continue
			}
			m := o.moments[i]
			params, grads = append(params, p.Value), append(grads, p.Grad)
			mean, square, steps = append(mean, m.mean), append(square, m.square), append(steps, m.steps)
		}
		if err := settings.Step(params, grads, mean, square, steps); err != nil {
			return fmt.Errorf("optimizer: %w", err)
		}
	}
	return nil
}

// gradients returns the gradients that there are.
func (o *optimizer) gradients() []torch.Tensor {
	var grads []torch.Tensor
	for _, p := range o.params {
		if p.Grad.Defined() {
			grads = append(grads, p.Grad)
		}
	}
	return grads
}

// zero drops all gradients.
func (o *optimizer) zero() {
	for _, p := range o.params {
		p.ZeroGrad()
	}
}

func (o *optimizer) free() {
	for _, m := range o.moments {
		m.mean.Free()
		m.square.Free()
		m.steps.Free()
	}
	o.moments = nil
}

// clip scales each list of gradients down to a norm of at most most and returns the norm of all of them before
// (torch.nn.utils.clip_grad_norm_).
func clip(lists [][]torch.Tensor, most float64) (norm float64, err error) {
	squares := 0.0
	for _, grads := range lists {
		if len(grads) == 0 {
			continue
		}
		norm, err := torch.GradNorm(grads)
		if err != nil {
			return 0, err
		}
		squares += norm * norm
		if factor := most / (norm + 1e-6); factor < 1 {
			if err := torch.ScaleAll(grads, factor); err != nil {
				return 0, err
			}
		}
	}
	return math.Sqrt(squares), nil
}

// size is the number of values that learn.
func (o *optimizer) size() int64 {
	total := int64(0)
	for _, p := range o.params {
		n := int64(1)
		for _, d := range p.Shape {
			n *= d
		}
		total += n
	}
	return total
}
