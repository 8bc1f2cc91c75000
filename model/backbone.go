package model

import "revela/torch"

// Backbone is a network from token ids to hidden states, a layer at a time, so that a caller can put other attention
// into its layers and run backward a layer at a time.
type Backbone interface {
	// Depth is the number of layers.
	Depth() int
	// Width is the size D of a hidden state.
	Width() int64
	// Causal reports whether a token sees only those before it.
	Causal() bool
	// Prepare makes what all layers need of a batch (rotary tables). It lives in s.
	Prepare(s *torch.Scope, b *Packed) Prepared
	// Embed returns the hidden states [T, D] before the first layer.
	Embed(s *torch.Scope, b *Packed) torch.Tensor
	// Layer maps hidden states [T, D] to those after layer i, for rows from call.From on; see [Call].
	Layer(s *torch.Scope, i int, x torch.Tensor, call Call) torch.Tensor
	// Final is applied to the last layer's result (the closing norm of decoders).
	Final(s *torch.Scope, x torch.Tensor) torch.Tensor

	// EmbedParams, LayerParams and FinalParams list parameters by the stage that uses them.
	EmbedParams() []*Param
	LayerParams(i int) []*Param
	FinalParams() []*Param
	// Linears lists the linear layers by their names in the checkpoint.
	Linears() map[string]*Linear
}

// Prepared is what the layers of a batch share.
type Prepared struct {
	Cos, Sin torch.Tensor // [T, Dh/2], for rotary embeddings
	Pairs    []torch.Pair // every sequence with itself
}

// Attend computes attention for query rows q [T−From, H, Dh] over k and v [T, Hkv, Dh] in a layer, in q's shape.
// window is how many tokens the layer sees, 0 for all.
type Attend func(s *torch.Scope, layer int, q, k, v torch.Tensor, window int64) torch.Tensor

// Call is what a layer needs beside the hidden states.
type Call struct {
	Prepared
	// From is the first row whose result is wanted: rows before it give keys and values alone. Where it is the number
	// of rows, the layer only hands k and v to Attend, with no q.
	From   int64
	Attend Attend
	Train  bool // dropout of LoRA
	Again  bool // the result is not looked at, only its gradient will be asked for
}

// during returns the call as a chain makes it now.
func (c Call) during(chain *Chain) Call {
	c.Again = chain.Again()
	return c
}

// selfAttention lets every sequence read itself.
func selfAttention(pairs []torch.Pair, causal bool) Attend {
	return func(s *torch.Scope, _ int, q, k, v torch.Tensor, window int64) torch.Tensor {
		return s.Attention(q, k, v, inverseRoot(s.Size(q, -1)), torch.Term{Pairs: pairs, Causal: causal, Window: window})
	}
}

// AllParams lists every parameter of a backbone once.
func AllParams(b Backbone) []*Param {
	list := append([]*Param(nil), b.EmbedParams()...)
	for i := range b.Depth() {
		list = append(list, b.LayerParams(i)...)
	}
	return append(list, b.FinalParams()...)
}

func freeParams(b Backbone) {
	for _, p := range AllParams(b) {
		if p != nil {
			p.Free()
		}
	}
}
