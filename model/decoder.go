package model

import (
	"fmt"
	"math"

	"revela/model/checkpoint"
	"revela/torch"
)

// Decoder is the common shape of Llama, Qwen2, Qwen3 and Mistral: RMSNorm before attention and before a SwiGLU, rotary
// positions, grouped-query attention. decoderKind says where they differ.
type Decoder struct {
	config *checkpoint.Config
	embed  *Param // [vocabulary, D]
	layers []*decoderLayer
	norm   *Param // [D]
	head   *Param // [vocabulary, D]; the embeddings when tied, nil where the use has no head
	rope   *rope

	weights *checkpoint.Weights // mapped while the network lives
}

// decoderKind is what an architecture adds to the common shape.
type decoderKind struct {
	qkvBias, outputBias, mlpBias bool // biases of the projections
	qkNorm                       bool // RMSNorm over each head of queries and keys (Qwen3)
}

type decoderLayer struct {
	inputNorm, postNorm    *Param // [D]
	q, k, v, o             *Linear
	qNorm, kNorm           *Param // [Dh], Qwen3
	gate, up, down         *Linear
	heads, kvHeads, window int64
	headDim                int64
	eps                    float64
}

// loadDecoder reads a checkpoint of a decoder. wantHead loads the output projection.
func loadDecoder(dir string, c *checkpoint.Config, kind decoderKind, wantHead bool, o Options) (*Decoder, error) {
	if c.HiddenAct != "silu" {
		return nil, fmt.Errorf("%s: hidden_act %q found, \"silu\" expected", c.File, c.HiddenAct)
	}
	l, err := newLoader(dir, "embed_tokens.weight", []string{"model."}, o)
	if err != nil {
		return nil, err
	}
	return buildDecoder(l, c, kind, wantHead)
}

// RandomLanguageModel draws the parameters of a decoder at random: for benchmarks of sizes whose weights are not at hand.
func RandomLanguageModel(c *checkpoint.Config, o Options) (*LanguageModel, error) {
	kind, ok := decoders[c.ModelType]
	if !ok {
		return nil, fmt.Errorf("random model: model_type %q is not a decoder", c.ModelType)
	}
	d, err := buildDecoder(randomLoader(o), c, kind(c), true)
	if err != nil {
		return nil, err
	}
	return &LanguageModel{d}, nil
}

// buildDecoder takes the parameters of a decoder from a loader.
func buildDecoder(l *loader, c *checkpoint.Config, kind decoderKind, wantHead bool) (*Decoder, error) {
	r, err := newRope(c, c.RopeTheta)
	if err != nil {
		return nil, err
	}
	vocabulary, width := int64(c.VocabSize), int64(c.HiddenSize)
	d := &Decoder{config: c, rope: r, weights: l.weights, embed: l.param("embed_tokens.weight", vocabulary, width)}
	for i := range c.NumHiddenLayers {
		d.layers = append(d.layers, loadDecoderLayer(l, c, kind, i))
	}
	d.norm = l.param("norm.weight", width)
	if wantHead {
		d.head = d.embed
		if !c.TieWordEmbeddings || l.has("lm_head.weight") && l.weightsDiffer("lm_head.weight", d.embed.Name) {
			d.head = l.exact("lm_head.weight", vocabulary, width)
		}
	}
	if err := l.finish(unneeded); err != nil {
		d.Free()
		return nil, err
	}
	return d, nil
}

// weightsDiffer reports whether the configuration calls two tensors tied but the file holds other values for one.
func (l *loader) weightsDiffer(name, tied string) bool {
	a, okA, errA := l.weights.Tensor(name)
	b, okB, errB := l.weights.Tensor(tied)
	return errA == nil && errB == nil && okA && okB && string(a.Data) != string(b.Data)
}

func loadDecoderLayer(l *loader, c *checkpoint.Config, kind decoderKind, i int) *decoderLayer {
	width, inner, dh := int64(c.HiddenSize), int64(c.IntermediateSize), int64(c.HeadDim)
	heads, kvHeads := int64(c.NumAttentionHeads), int64(c.NumKeyValueHeads)
	at := fmt.Sprintf("layers.%d.", i)
	linear := func(name string, out, in int64, bias bool) *Linear {
		x := &Linear{Weight: l.param(at+name+".weight", out, in)}
		if bias {
			x.Bias = l.param(at+name+".bias", out)
		}
		return x
	}
	layer := &decoderLayer{
		inputNorm: l.param(at+"input_layernorm.weight", width),
		postNorm:  l.param(at+"post_attention_layernorm.weight", width),
		q:         linear("self_attn.q_proj", heads*dh, width, kind.qkvBias),
		k:         linear("self_attn.k_proj", kvHeads*dh, width, kind.qkvBias),
		v:         linear("self_attn.v_proj", kvHeads*dh, width, kind.qkvBias),
		o:         linear("self_attn.o_proj", width, heads*dh, kind.outputBias),
		gate:      linear("mlp.gate_proj", inner, width, kind.mlpBias),
		up:        linear("mlp.up_proj", inner, width, kind.mlpBias),
		down:      linear("mlp.down_proj", width, inner, kind.mlpBias),
		heads:     heads, kvHeads: kvHeads, headDim: dh, window: int64(c.Window(i)), eps: c.RMSNormEps,
	}
	if kind.qkNorm {
		layer.qNorm, layer.kNorm = l.param(at+"self_attn.q_norm.weight", dh), l.param(at+"self_attn.k_norm.weight", dh)
	}
	return layer
}

// Depth is the number of layers.
func (d *Decoder) Depth() int { return len(d.layers) }

// Width is the size of a hidden state.
func (d *Decoder) Width() int64 { return int64(d.config.HiddenSize) }

// Causal is true: a token sees those before it.
func (d *Decoder) Causal() bool { return true }

// Prepare makes the rotary tables.
func (d *Decoder) Prepare(s *torch.Scope, b *Packed) Prepared {
	cos, sin := d.rope.tables(s, b.Positions())
	return Prepared{Cos: cos, Sin: sin, Pairs: b.SelfPairs()}
}

// Embed looks tokens up.
func (d *Decoder) Embed(s *torch.Scope, b *Packed) torch.Tensor {
	return s.Embedding(d.embed.In(s), torch.From(s, b.IDs, b.Tokens()))
}

// Layer runs layer i; see [Backbone].
func (d *Decoder) Layer(s *torch.Scope, i int, x torch.Tensor, call Call) torch.Tensor {
	return d.layers[i].forward(s, i, x, call)
}

// Final is the closing RMSNorm.
func (d *Decoder) Final(s *torch.Scope, x torch.Tensor) torch.Tensor {
	return s.RMSNorm(x, d.norm.In(s), d.config.RMSNormEps)
}

func (l *decoderLayer) forward(s *torch.Scope, i int, x torch.Tensor, call Call) torch.Tensor {
	rows := s.Size(x, 0)
	from := func(t torch.Tensor) torch.Tensor {
		if call.From == 0 {
			return t
		}
		return s.Narrow(t, 0, call.From, rows-call.From)
	}
	q, k, v := l.projectNormed(s, x, call)
	k = s.Rope(l.headNorm(s, k, l.kNorm), call.Cos, call.Sin)
	if call.From == rows {
		return call.Attend(s, i, torch.Tensor{}, k, v, l.window)
	}
	q = s.Rope(l.headNorm(s, q, l.qNorm), from(call.Cos), from(call.Sin))
	attended := call.Attend(s, i, q, k, v, l.window)
	return l.mlp(s, l.o.Onto(s, from(x), attended, call.Train), call)
}

// projectNormed is queries (of rows from call.From on), keys and values of the normed rows of x, [rows, heads, headDim].
func (l *decoderLayer) projectNormed(s *torch.Scope, x torch.Tensor, call Call) (q, k, v torch.Tensor) {
	return s.NormProject(x, l.inputNorm.In(s), l.eps, call.From, l.headDim,
		l.q.projection(s, call.Train), l.k.projection(s, call.Train), l.v.projection(s, call.Train))
}

// headNorm normalises each head of x [T, heads, Dh] where the architecture does (Qwen3).
func (l *decoderLayer) headNorm(s *torch.Scope, x torch.Tensor, weight *Param) torch.Tensor {
	if weight == nil {
		return x
	}
	return s.RMSNorm(x, weight.In(s), l.eps)
}

// Rows that are computed again at a time: enough for products at full speed, of a CPU or of a GPU.
const (
	rowsAgain         = 1024
	rowsAgainOnDevice = 8192
)

// mlp is the layer's second half, its residual included.
func (l *decoderLayer) mlp(s *torch.Scope, x torch.Tensor, call Call) torch.Tensor {
	gate, up, down := l.gate.projection(s, call.Train), l.up.projection(s, call.Train), l.down.projection(s, call.Train)
	if call.Again {
		rows := int64(rowsAgain)
		if torch.OnDevice() {
			rows = rowsAgainOnDevice
		}
		return s.GatedMLPAgain(x, l.postNorm.In(s), l.eps, gate, up, down, rows)
	}
	return s.GatedMLP(x, l.postNorm.In(s), l.eps, gate, up, down)
}

// EmbedParams lists the embedding table.
func (d *Decoder) EmbedParams() []*Param { return []*Param{d.embed} }

// FinalParams lists the closing norm.
func (d *Decoder) FinalParams() []*Param { return []*Param{d.norm} }

// LayerParams lists the parameters of layer i.
func (d *Decoder) LayerParams(i int) []*Param {
	l := d.layers[i]
	list := []*Param{l.inputNorm, l.postNorm}
	if l.qNorm != nil {
		list = append(list, l.qNorm, l.kNorm)
	}
	for _, x := range []*Linear{l.q, l.k, l.v, l.o, l.gate, l.up, l.down} {
		list = append(list, x.params()...)
	}
	return list
}

// Linears lists the projections by name, "model.layers.0.self_attn.q_proj" for one.
func (d *Decoder) Linears() map[string]*Linear {
	named := map[string]*Linear{}
	for i, l := range d.layers {
		for name, x := range map[string]*Linear{"self_attn.q_proj": l.q, "self_attn.k_proj": l.k, "self_attn.v_proj": l.v,
			"self_attn.o_proj": l.o, "mlp.gate_proj": l.gate, "mlp.up_proj": l.up, "mlp.down_proj": l.down} {
			named[fmt.Sprintf("layers.%d.%s", i, name)] = x
		}
	}
	return named
}

// Free gives all memory back.
func (d *Decoder) Free() {
	freeParams(d)
	if d.head != nil && d.head != d.embed {
		d.head.Free()
	}
	if d.weights != nil {
		d.weights.Close()
	}
}

// source is the open checkpoint.
func (d *Decoder) source() *checkpoint.Weights { return d.weights }

func inverseRoot(n int64) float64 { return 1 / math.Sqrt(float64(n)) }
