package model

import (
	"fmt"
	"slices"

	"revela/model/checkpoint"
	"revela/torch"
)

// LanguageModel is a decoder with its output head.
type LanguageModel struct{ *Decoder }

// LoadLanguageModel reads a decoder and its output head from a checkpoint's folder.
func LoadLanguageModel(dir string, o Options) (*LanguageModel, error) {
	c, err := checkpoint.ReadConfig(dir)
	if err != nil {
		return nil, err
	}
	d, err := loadDecoderOf(dir, c, true, o)
	if err != nil {
		return nil, err
	}
	return &LanguageModel{d}, nil
}

// Params lists every parameter once, the head included where it is not tied.
func (m *LanguageModel) Params() []*Param { return append(AllParams(m.Decoder), m.untiedHead()...) }

func (m *LanguageModel) untiedHead() []*Param {
	if m.head == m.embed {
		return nil
	}
	return []*Param{m.head}
}

// headParams are the parameters of the loss stage.
func (m *LanguageModel) headParams() []*Param { return append(m.FinalParams(), m.head) }

// Logits maps the last layer's result [T, D] to [T, vocabulary]. Training never needs it: see [Targets].
func (m *LanguageModel) Logits(s *torch.Scope, x torch.Tensor) torch.Tensor {
	return s.Linear(m.Final(s, x), m.head.In(s), torch.Tensor{})
}

// Targets are the tokens to predict: row Rows[i] of the hidden states predicts the token Labels[i].
type Targets struct {
	Rows, Labels []int64
}

// NextTokens returns the targets of a packed batch: every token but a sequence's first, predicted from the one before;
// tokens equal to ignore (the padding token, -1 for none) are left out, as the published collator does.
func NextTokens(p *Packed, ignore int32) (*Targets, error) {
	t := &Targets{}
	for i, start := range p.Starts {
		before := len(t.Rows)
		for at := start; at+1 < start+p.Lens[i]; at++ {
			if next := p.IDs[at+1]; ignore < 0 || next != int64(ignore) {
				t.Rows, t.Labels = append(t.Rows, at), append(t.Labels, next)
			}
		}
		if len(t.Rows) == before {
			return nil, fmt.Errorf("text %d of the group has no token to predict (%d tokens)", i+1, p.Lens[i])
		}
	}
	return t, nil
}

// shifted returns the targets for hidden states that begin offset rows earlier.
func (t *Targets) shifted(offset int64) *Targets {
	rows := make([]int64, len(t.Rows))
	for i, r := range t.Rows {
		rows[i] = r + offset
	}
	return &Targets{Rows: rows, Labels: t.Labels}
}

// Elements of a chunk of logits: enough rows for products at full speed, for a CPU's caches or for a GPU.
const (
	logitsInFlight         = 1 << 24
	logitsInFlightOnDevice = 1 << 27
)

// loss is the mean cross entropy of the targets, given the last layer's result [T, D].
func (m *LanguageModel) loss(s *torch.Scope, x torch.Tensor, t *Targets) torch.Tensor {
	n, vocabulary := int64(len(t.Rows)), m.head.Shape[0]
	if most := slices.Max(t.Labels); most >= vocabulary || slices.Min(t.Labels) < 0 { // devices do not say so
		s.Fail(fmt.Errorf("loss: label %d found; 0 to %d expected", most, vocabulary-1))
		return torch.Tensor{}
	}
	hidden := m.Final(s, s.IndexSelect(x, 0, torch.From(s, t.Rows, n)))
	chunk := max(16, logitsInFlight/vocabulary)
	if torch.OnDevice() {
		chunk = max(16, logitsInFlightOnDevice/vocabulary)
	}
	return s.LinearCrossEntropy(hidden, m.head.In(s), torch.From(s, t.Labels, n), chunk)
}

// Loss is the language model's own loss, every sequence alone.
func (m *LanguageModel) Loss(c *Chain, p *Packed, t *Targets, train bool) torch.Tensor {
	x := Run(c, m.Decoder, p, train)
	return c.Last(x, m.headParams(), func(s *torch.Scope, x torch.Tensor) torch.Tensor { return m.loss(s, x, t) })
}

// Run sends a batch through the layers of a backbone; the result [T, D] is before Final.
func Run(c *Chain, b Backbone, p *Packed, train bool) torch.Tensor {
	c.Scope().Fail(castAll(LoRAParams(b)))
	prepared := b.Prepare(c.Scope(), p)
	call := Call{Prepared: prepared, Attend: selfAttention(prepared.Pairs, b.Causal()), Train: train}
	x := c.Stage(torch.Tensor{}, b.EmbedParams(), func(s *torch.Scope, _ torch.Tensor) torch.Tensor { return b.Embed(s, p) })
	for i := range b.Depth() {
		x = c.Stage(x, b.LayerParams(i), func(s *torch.Scope, x torch.Tensor) torch.Tensor { return b.Layer(s, i, x, call.during(c)) })
	}
	return x
}
