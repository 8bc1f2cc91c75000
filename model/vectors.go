package model

import (
	"slices"

	"revela/torch"
)

// Vectors are the pooled vectors of a batch in a training step and the way back from their gradient to the parameters.
// Between the two anything may happen. Without a graph of the whole batch the memory of a slice of it is all that the
// way back takes, however large the batch is (GradCache: Gao et al. 2021, arXiv 2101.06983).
type Vectors struct {
	Pooled torch.Tensor // [texts, D], fp32, not normalised, a part of no graph

	retriever *Retriever
	batch     *Packed
	options   VectorOptions
	own       *torch.Scope
	graph     *Chain      // of the whole batch; nil where it is computed again
	slices    []textSlice // to compute again
}

// VectorOptions say how vectors are made.
type VectorOptions struct {
	Learns  bool // Backward will be called
	Again   bool // activation checkpointing: keep no graph, compute the batch again by slices
	Dropout bool // of LoRA
}

// textSlice is some texts of a batch, by their numbers.
type textSlice struct {
	texts  []int
	random []byte // the generator's state before they were read, with dropout
}

// Tokens of a slice at most, unless a text alone is longer: enough rows for products at full speed, on a CPU and on a device.
const (
	SliceTokens         = 1024
	sliceTokensOnDevice = 4096
)

func mostTokens() int64 {
	if torch.OnDevice() {
		return sliceTokensOnDevice
	}
	return SliceTokens
}

// Vectors sends a batch through the network; Close the result.
func (r *Retriever) Vectors(p *Packed, o VectorOptions) *Vectors {
	v := &Vectors{retriever: r, batch: p, options: o, own: torch.NewScope()}
	if o.Learns && !o.Again {
		v.graph = NewChain()
		v.Pooled = v.own.Detach(r.Pooled(v.graph, p, o.Dropout))
		v.own.Fail(v.graph.Err())
		return v
	}
	v.slices = []textSlice{{texts: count(p.Len())}}
	if o.Again {
		v.slices = p.slices(count(p.Len()))
	}
	var parts []torch.Tensor
	for i := range v.slices {
		parts = append(parts, v.forward(&v.slices[i]))
	}
	v.Pooled = v.own.Cat(0, parts...)
	return v
}

// Err returns the first error.
func (v *Vectors) Err() error { return v.own.Err() }

// Close frees everything.
func (v *Vectors) Close() {
	v.dropGraph()
	v.own.Close()
}

func (v *Vectors) dropGraph() {
	if v.graph != nil {
		v.graph.Close()
		v.graph = nil
	}
}

// forward returns the vectors of a slice, without a graph.
func (v *Vectors) forward(sl *textSlice) torch.Tensor {
	sl.random = randomState(v.own, v.options.Dropout)
	c := NewChain()
	defer c.Close()
	c.NoGrad = true
	pooled := v.own.Detach(v.retriever.Pooled(c, v.batch.Select(sl.texts), v.options.Dropout))
	v.own.Fail(c.Err())
	return pooled
}

// forwardAndBackward is what computing again costs beside going back through a graph that is there.
const forwardAndBackward = 2

// Expect tells which texts' vectors will get a gradient other than 0; without it all do. The rest need no way back: where it
// is cheaper, the graph is given up and the texts that do are computed again.
func (v *Vectors) Expect(needed []bool) {
	var texts []int
	tokens := int64(0)
	for i, n := range v.batch.Lens {
		if needed[i] {
			texts, tokens = append(texts, i), tokens+n
		}
	}
	switch {
	case v.options.Dropout && len(texts) > 0: // its draws depend on the whole slice
		v.slices = slicesOf(v.slices, needed)
	case v.graph == nil || tokens*forwardAndBackward < v.batch.Tokens():
		v.dropGraph()
		v.slices = v.batch.slices(texts)
	}
}

// Backward adds the gradients of the parameters that learn, given that of the vectors [texts, D]. A parameter that no text
// reaches gets zeros.
func (v *Vectors) Backward(grad torch.Tensor) error {
	if v.Err() != nil {
		return v.Err()
	}
	if v.graph != nil {
		v.graph.Backward(grad)
		return v.graph.Err()
	}
	after := randomState(v.own, v.options.Dropout)
	for _, sl := range v.slices {
		v.backward(sl, grad)
	}
	setRandomState(v.own, after)
	v.own.Fail(zeroGrads(AllParams(v.retriever)))
	return v.Err()
}

// backward computes a slice again and goes back through it.
func (v *Vectors) backward(sl textSlice, grad torch.Tensor) {
	if v.Err() != nil {
		return
	}
	setRandomState(v.own, sl.random)
	texts := v.batch.Select(sl.texts)
	c := NewChain()
	defer c.Close()
	c.Recompute, c.Random = texts.Tokens() > mostTokens(), v.options.Dropout // one long text
	v.retriever.Pooled(c, texts, v.options.Dropout)
	s := c.Scope()
	index := make([]int64, len(sl.texts))
	for i, text := range sl.texts {
		index[i] = int64(text)
	}
	c.Backward(s.IndexSelect(grad, 0, torch.From(s, index, int64(len(index)))))
	v.own.Fail(c.Err())
}

// slices cuts texts of a batch into slices.
func (p *Packed) slices(texts []int) []textSlice {
	most := mostTokens()
	var list []textSlice
	tokens := most
	for _, i := range texts {
		if tokens += p.Lens[i]; tokens > most {
			list, tokens = append(list, textSlice{}), p.Lens[i]
		}
		last := &list[len(list)-1]
		last.texts = append(last.texts, i)
	}
	return list
}

// slicesOf returns the slices that hold a text that is needed.
func slicesOf(list []textSlice, needed []bool) []textSlice {
	var kept []textSlice
	for _, sl := range list {
		if slices.ContainsFunc(sl.texts, func(i int) bool { return needed[i] }) {
			kept = append(kept, sl)
		}
	}
	return kept
}

func count(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}
