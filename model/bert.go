package model

import (
	"fmt"

	"revela/model/checkpoint"
	"revela/torch"
)

// BERT is the encoder of Devlin et al. 2018 (transformers' BertModel): learned positions, LayerNorm after attention and
// after a GELU network, every token sees all of its sequence.
type BERT struct {
	config               *checkpoint.Config
	words, positions     *Param // [vocabulary, D], [longest, D]
	types                *Param // [types, D]
	normWeight, normBias *Param // [D]
	layers               []*bertLayer
	weights              *checkpoint.Weights
}

type bertLayer struct {
	q, k, v, o                *Linear
	attentionNorm, outputNorm *bertNorm
	inner, outer              *Linear
	heads, headDim            int64
	eps                       float64
	activation                torch.Activation
}

type bertNorm struct{ weight, bias *Param }

// bertActivations are transformers' names of the feed-forward network's function.
var bertActivations = map[string]torch.Activation{
	"gelu": torch.GELU, "gelu_new": torch.GELUTanh, "gelu_pytorch_tanh": torch.GELUTanh, "relu": torch.ReLU,
}

func loadBERT(dir string, c *checkpoint.Config, o Options) (*BERT, error) {
	if c.PositionEmbeddingType != "" && c.PositionEmbeddingType != "absolute" {
		return nil, fmt.Errorf("%s: position_embedding_type %q found, \"absolute\" expected", c.File, c.PositionEmbeddingType)
	}
	if _, ok := bertActivations[c.HiddenAct]; !ok {
		return nil, fmt.Errorf("%s: hidden_act %q found; gelu, gelu_new, gelu_pytorch_tanh or relu expected", c.File, c.HiddenAct)
	}
	l, err := newLoader(dir, "embeddings.word_embeddings.weight", []string{"bert."}, o)
	if err != nil {
		return nil, err
	}
	width := int64(c.HiddenSize)
	b := &BERT{config: c, weights: l.weights,
		words:      l.param("embeddings.word_embeddings.weight", int64(c.VocabSize), width),
		positions:  l.param("embeddings.position_embeddings.weight", int64(c.MaxPositionEmbeddings), width),
		types:      l.param("embeddings.token_type_embeddings.weight", int64(c.TypeVocabSize), width),
		normWeight: l.param("embeddings.LayerNorm.weight", width),
		normBias:   l.param("embeddings.LayerNorm.bias", width),
	}
	for i := range c.NumHiddenLayers {
		b.layers = append(b.layers, loadBERTLayer(l, c, fmt.Sprintf("encoder.layer.%d.", i)))
	}
	if err := l.finish(unneeded); err != nil {
		b.Free()
		return nil, err
	}
	return b, nil
}

func loadBERTLayer(l *loader, c *checkpoint.Config, at string) *bertLayer {
	width, inner := int64(c.HiddenSize), int64(c.IntermediateSize)
	linear := func(name string, out, in int64) *Linear {
		return &Linear{Weight: l.param(at+name+".weight", out, in), Bias: l.param(at+name+".bias", out)}
	}
	norm := func(name string) *bertNorm {
		return &bertNorm{l.param(at+name+".weight", width), l.param(at+name+".bias", width)}
	}
	return &bertLayer{
		q:             linear("attention.self.query", width, width),
		k:             linear("attention.self.key", width, width),
		v:             linear("attention.self.value", width, width),
		o:             linear("attention.output.dense", width, width),
		attentionNorm: norm("attention.output.LayerNorm"),
		inner:         linear("intermediate.dense", inner, width),
		outer:         linear("output.dense", width, inner),
		outputNorm:    norm("output.LayerNorm"),
		heads:         int64(c.NumAttentionHeads), headDim: int64(c.HeadDim), eps: c.LayerNormEps,
		activation: bertActivations[c.HiddenAct],
	}
}

// Depth is the number of layers.
func (b *BERT) Depth() int { return len(b.layers) }

// Width is the size of a hidden state.
func (b *BERT) Width() int64 { return int64(b.config.HiddenSize) }

// Causal is false: a token sees all of its sequence.
func (b *BERT) Causal() bool { return false }

// Prepare needs no tables.
func (b *BERT) Prepare(_ *torch.Scope, p *Packed) Prepared { return Prepared{Pairs: p.SelfPairs()} }

// Embed sums the embeddings of word, position and type, and normalises.
func (b *BERT) Embed(s *torch.Scope, p *Packed) torch.Tensor {
	for _, n := range p.Lens {
		if n > int64(b.config.MaxPositionEmbeddings) {
			s.Fail(fmt.Errorf("embed: a text has %d tokens; the model has positions for %d", n, b.config.MaxPositionEmbeddings))
			return torch.Tensor{}
		}
	}
	look := func(table *Param, ids []int64) torch.Tensor {
		return s.Embedding(table.In(s), torch.From(s, ids, int64(len(ids))))
	}
	x := s.Add(look(b.words, p.IDs), look(b.types, p.TokenTypes()))
	x = s.Add(x, look(b.positions, p.Positions()))
	return s.LayerNorm(x, b.normWeight.In(s), b.normBias.In(s), b.config.LayerNormEps)
}

// Layer runs layer i; see [Backbone].
func (b *BERT) Layer(s *torch.Scope, i int, x torch.Tensor, call Call) torch.Tensor {
	return b.layers[i].forward(s, i, x, call)
}

// Final does nothing: the last layer ends with its own norm.
func (b *BERT) Final(_ *torch.Scope, x torch.Tensor) torch.Tensor { return x }

func (l *bertLayer) forward(s *torch.Scope, i int, x torch.Tensor, call Call) torch.Tensor {
	rows := s.Size(x, 0)
	heads := func(p *Linear) torch.Tensor { return s.Reshape(p.Forward(s, x, call.Train), rows, l.heads, l.headDim) }
	attended := s.Reshape(call.Attend(s, i, heads(l.q), heads(l.k), heads(l.v), 0), rows, l.heads*l.headDim)
	x = l.attentionNorm.forward(s, l.o.Onto(s, x, attended, call.Train), l.eps)
	hidden := l.inner.Activated(s, x, l.activation, call.Train)
	return l.outputNorm.forward(s, l.outer.Onto(s, x, hidden, call.Train), l.eps)
}

func (n *bertNorm) forward(s *torch.Scope, x torch.Tensor, eps float64) torch.Tensor {
	return s.LayerNorm(x, n.weight.In(s), n.bias.In(s), eps)
}

// EmbedParams lists the embedding tables and their norm.
func (b *BERT) EmbedParams() []*Param {
	return []*Param{b.words, b.positions, b.types, b.normWeight, b.normBias}
}

// FinalParams lists nothing.
func (b *BERT) FinalParams() []*Param { return nil }

// LayerParams lists the parameters of layer i.
func (b *BERT) LayerParams(i int) []*Param {
	l := b.layers[i]
	list := []*Param{l.attentionNorm.weight, l.attentionNorm.bias, l.outputNorm.weight, l.outputNorm.bias}
	for _, x := range []*Linear{l.q, l.k, l.v, l.o, l.inner, l.outer} {
		list = append(list, x.params()...)
	}
	return list
}

// Linears lists the linear layers by name, "encoder.layer.0.attention.self.query" for one.
func (b *BERT) Linears() map[string]*Linear {
	named := map[string]*Linear{}
	for i, l := range b.layers {
		for name, x := range map[string]*Linear{"attention.self.query": l.q, "attention.self.key": l.k,
			"attention.self.value": l.v, "attention.output.dense": l.o, "intermediate.dense": l.inner, "output.dense": l.outer} {
			named[fmt.Sprintf("encoder.layer.%d.%s", i, name)] = x
		}
	}
	return named
}

// Free gives all memory back.
func (b *BERT) Free() {
	freeParams(b)
	b.weights.Close()
}

// source is the open checkpoint.
func (b *BERT) source() *checkpoint.Weights { return b.weights }
