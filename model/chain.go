package model

import "revela/torch"

// Chain is a computation in stages, usually a layer each, of which backward needs one at a time: memory of a stage is
// given back as soon as its gradients are known, and a stage may be computed again in backward instead of being kept
// (activation checkpointing).
//
// Every stage's parameters get their gradients added to Param.Grad. Shared is an input of all stages but the first (the
// weights of the in-batch attention); where it is a leaf that learns, its gradients are summed over the stages.
type Chain struct {
	Recompute    bool         // keep only the stages' inputs
	Random       bool         // stages draw random numbers (dropout): repeat the draws when computing again
	NoGrad       bool         // forward only
	Shared       torch.Tensor // or none
	SharedLearns bool         // Shared is a leaf

	own        *torch.Scope
	held       *torch.Scope // holds the last result of a stage without a graph
	stages     []stage
	sharedGrad torch.Tensor
	upstream   bool // something before the next stage learns
	again      bool // a stage runs for the second time
}

type stage struct {
	in, out torch.Tensor
	held    *torch.Scope // holds in, and out where there is no graph
	kept    *torch.Scope // holds the stage's graph; nil when it is to be computed again
	random  []byte
	params  []*Param
	run     func(s *torch.Scope, in torch.Tensor) torch.Tensor
	inGrad  bool // something before it learns
	shared  bool // it passes a gradient to Shared
}

// NewChain returns an empty chain; Close it.
func NewChain() *Chain { return &Chain{own: torch.NewScope(), held: torch.NewScope()} }

// Scope holds what lives as long as the chain, and its first error.
func (c *Chain) Scope() *torch.Scope { return c.own }

// Err returns the first error of the chain.
func (c *Chain) Err() error { return c.own.Err() }

// Close frees everything.
func (c *Chain) Close() {
	for i := range c.stages {
		c.stages[i].free()
	}
	c.stages = nil
	c.held.Close()
	c.own.Close()
}

func (st *stage) free() {
	st.held.Close()
	if st.kept != nil {
		st.kept.Close()
		st.kept = nil
	}
}

// Stage runs a stage on in (none for the first) and returns its result, which the next stage takes. Where there is no graph,
// the result is freed when the next stage has run.
func (c *Chain) Stage(in torch.Tensor, params []*Param, run func(s *torch.Scope, in torch.Tensor) torch.Tensor) torch.Tensor {
	return c.stage(in, params, c.Recompute, run)
}

// Last is Stage for the last stage, which is not computed again: backward begins with it.
func (c *Chain) Last(in torch.Tensor, params []*Param, run func(s *torch.Scope, in torch.Tensor) torch.Tensor) torch.Tensor {
	return c.stage(in, params, false, run)
}

// Again reports whether a stage is running for the second time: for its graph, its result is not looked at.
func (c *Chain) Again() bool { return c.again }

func (c *Chain) stage(in torch.Tensor, params []*Param, again bool, run func(s *torch.Scope, in torch.Tensor) torch.Tensor) torch.Tensor {
	if c.Err() != nil {
		return torch.Tensor{}
	}
	st := stage{params: Learning(params), run: run, inGrad: c.upstream, shared: c.SharedLearns && in.Defined()}
	if c.NoGrad || !(c.upstream || len(st.params) > 0 || st.shared) {
		return c.forwardOnly(in, run)
	}
	c.upstream = true
	st.held = torch.NewScope()
	st.in = st.held.Detach(in0(st.held, in))
	if again {
		st.random = randomState(c.own, c.Random)
		st.out = plain(st.held, in, run)
	} else {
		st.start(c.own)
	}
	c.own.Fail(st.held.Err())
	c.stages = append(c.stages, st)
	return st.out
}

// forwardOnly runs a stage that needs no graph.
func (c *Chain) forwardOnly(in torch.Tensor, run func(s *torch.Scope, in torch.Tensor) torch.Tensor) torch.Tensor {
	held := torch.NewScope()
	out := plain(held, in, run)
	c.own.Fail(held.Err())
	c.held.Close()
	c.held = held
	return out
}

// in0 stands in for the input of a first stage, which has none.
func in0(s *torch.Scope, in torch.Tensor) torch.Tensor {
	if in.Defined() {
		return in
	}
	return s.Zeros(torch.Float32, 1)
}

// plain runs a stage without a graph; only the result stays, in s.
func plain(s *torch.Scope, in torch.Tensor, run func(s *torch.Scope, in torch.Tensor) torch.Tensor) (out torch.Tensor) {
	torch.NoGrad(func() {
		out = s.Sub(func(s *torch.Scope) []torch.Tensor { return []torch.Tensor{run(s, in)} })[0]
	})
	return out
}

// randomState is the generator's state where numbers are drawn from it, nil elsewhere; setRandomState goes back to it.
func randomState(s *torch.Scope, drawn bool) []byte {
	if !drawn {
		return nil
	}
	state, err := torch.RandomState()
	s.Fail(err)
	return state
}

func setRandomState(s *torch.Scope, state []byte) {
	if state != nil {
		s.Fail(torch.SetRandomState(state))
	}
}

// start runs the stage with a graph. The result stays in the stage's scope; errors go to s.
func (st *stage) start(s *torch.Scope) {
	st.kept = torch.NewScope()
	torch.WithGrad(func() {
		in := st.in
		if st.inGrad {
			in = st.kept.Leaf(st.in)
			st.in = in
		}
		st.out = st.kept.Sub(func(sub *torch.Scope) []torch.Tensor { return []torch.Tensor{st.run(sub, in)} })[0]
	})
	s.Fail(st.kept.Err())
}

// Backward goes through the stages from the last to the first, with grad as the gradient of the last result (none for a
// scalar's 1), and returns the gradient of Shared, none where there is none.
func (c *Chain) Backward(grad torch.Tensor) torch.Tensor {
	holder := torch.NewScope() // of grad
	for i := len(c.stages) - 1; i >= 0 && c.Err() == nil; i-- {
		next := torch.NewScope()
		grad = c.backward(&c.stages[i], grad, next)
		c.stages[i].free()
		holder.Close()
		holder = next
	}
	holder.Close()
	return c.sharedGrad
}

// backward adds the gradients of a stage and returns that of its input, which s holds.
func (c *Chain) backward(st *stage, grad torch.Tensor, s *torch.Scope) torch.Tensor {
	if st.kept == nil {
		c.repeat(st)
	}
	if c.Err() != nil {
		return torch.Tensor{}
	}
	var ins []torch.Tensor
	if st.inGrad {
		ins = append(ins, st.in)
	}
	if st.shared {
		ins = append(ins, c.Shared)
	}
	for _, p := range st.params {
		ins = append(ins, p.Value)
	}
	var gouts []torch.Tensor
	if grad.Defined() {
		gouts = []torch.Tensor{grad}
	}
	grads := st.kept.Grad([]torch.Tensor{st.out}, gouts, ins, false)
	var inGrad torch.Tensor
	if st.inGrad {
		inGrad, grads = s.Own(st.kept.Keep(grads[0])), grads[1:]
	}
	if st.shared {
		c.addShared(st.kept, grads[0])
		grads = grads[1:]
	}
	addGrads(st.kept, st.params, grads)
	c.own.Fail(st.kept.Err())
	return inGrad
}

// repeat computes a stage that was not kept, with the random numbers of the first time.
func (c *Chain) repeat(st *stage) {
	c.again = true
	defer func() { c.again = false }()
	now := randomState(c.own, st.random != nil)
	setRandomState(c.own, st.random)
	st.start(c.own)
	setRandomState(c.own, now)
}

func (c *Chain) addShared(s *torch.Scope, g torch.Tensor) {
	switch {
	case !g.Defined():
	case c.sharedGrad.Defined():
		if s.Err() == nil {
			c.own.Fail(torch.AddAll([]torch.Tensor{c.sharedGrad}, []torch.Tensor{g}, 1))
		}
	default:
		c.sharedGrad = c.own.Own(s.Keep(s.Clone(g)))
	}
}
