package model

import (
	"slices"

	"revela/torch"
)

// Joint is a group as the language model reads it with in-batch attention (arXiv 2506.16552, section 3): pass 1 reads the
// texts, each alone, for their keys and values; pass 2 reads the queries, each attending to its own past and, weighted
// by the retriever, to the texts. In the paper's groups queries and texts are the same chunks.
type Joint struct {
	Texts, Queries *Packed
	Targets        *Targets     // of pass 2, rows of Queries
	Pairs          []torch.Pair // query rows of Queries, keys of Texts; their weights are the chain's Shared [pairs]

	ValueNorm bool     // divide by the attention-weighted norm of the values
	Detach    bool     // no gradient through pass 1, which then has no graph
	Dual      *Targets // of pass 1, whose loss is added; nil for none
	Train     bool     // dropout of LoRA
}

// JointLoss is the loss of pass 2 (plus that of pass 1 with Dual), as one fp32 number.
func (m *LanguageModel) JointLoss(c *Chain, j Joint) torch.Tensor {
	c.Scope().Fail(castAll(LoRAParams(m.Decoder)))
	if j.Dual == nil {
		j.Texts, j.Pairs = Attended(j.Texts, j.Pairs)
	}
	if j.Detach {
		return m.detachedLoss(c, j)
	}
	return m.lockstepLoss(c, j)
}

// Attended drops the texts that no pair reads: pass 1 is run for its keys and values alone, so such a text adds nothing to the
// loss or to any gradient. At the paper's temperature most queries read one text, and several the same one.
func Attended(texts *Packed, pairs []torch.Pair) (*Packed, []torch.Pair) {
	keys := map[int64]bool{} // first rows of the texts that are read
	for _, p := range pairs {
		keys[p.Key] = true
	}
	if len(keys) == texts.Len() {
		return texts, pairs
	}
	var read []int
	moved := map[int64]int64{}
	rows := int64(0)
	for i, start := range texts.Starts {
		if keys[start] {
			read, moved[start] = append(read, i), rows
			rows += texts.Lens[i]
		}
	}
	kept := slices.Clone(pairs)
	for i := range kept {
		kept[i].Key = moved[kept[i].Key]
	}
	return texts.Select(read), kept
}

// lockstepLoss sends both passes through a layer together: their rows lie in one tensor, pass 1 first, so that every
// projection is one matrix product, and only this layer's keys and values of pass 1 are alive. The last layer of pass 1
// stops at keys and values unless its loss is wanted.
func (m *LanguageModel) lockstepLoss(c *Chain, j Joint) torch.Tensor {
	both, texts := Join(j.Texts, j.Queries), j.Texts.Tokens()
	prepared := m.Prepare(c.Scope(), both)
	x := c.Stage(torch.Tensor{}, m.EmbedParams(), func(s *torch.Scope, _ torch.Tensor) torch.Tensor { return m.Embed(s, both) })
	from := int64(0)
	for i := range m.Depth() {
		if i == m.Depth()-1 && j.Dual == nil {
			from = texts
		}
		call := Call{Prepared: prepared, From: from, Train: j.Train, Attend: j.lockstep(c, prepared.Pairs, texts, from)}
		x = c.Stage(x, m.LayerParams(i), func(s *torch.Scope, x torch.Tensor) torch.Tensor { return m.Layer(s, i, x, call.during(c)) })
	}
	return c.Last(x, m.headParams(), func(s *torch.Scope, x torch.Tensor) torch.Tensor {
		if j.Dual == nil {
			return m.loss(s, x, j.Targets)
		}
		return s.Add(m.loss(s, x, j.Targets.shifted(texts)), m.loss(s, x, j.Dual))
	})
}

// lockstep is causal self-attention for all rows of q, and the in-batch term for the queries' rows. q begins at row from.
func (j *Joint) lockstep(c *Chain, self []torch.Pair, texts, from int64) Attend {
	if from > 0 { // only the queries' rows are left
		self = shiftQueries(self[j.Texts.Len():], -from)
	}
	inBatch := j.inBatch(c.Shared, shiftQueries(j.Pairs, texts-from))
	return func(s *torch.Scope, _ int, q, k, v torch.Tensor, window int64) torch.Tensor {
		own := torch.Term{Pairs: self, Causal: true, Window: window}
		return s.Attention(q, k, v, inverseRoot(s.Size(q, -1)), own, inBatch)
	}
}

// inBatch is Σ_j w_ij · softmax(Q_i K_jᵀ/√Dh) V_j, normalised where asked: every query reads all positions of its texts.
func (j *Joint) inBatch(weights torch.Tensor, pairs []torch.Pair) torch.Term {
	return torch.Term{Pairs: pairs, Weights: weights, ValueNorm: j.ValueNorm}
}

func shiftQueries(pairs []torch.Pair, by int64) []torch.Pair {
	shifted := make([]torch.Pair, len(pairs))
	for i, p := range pairs {
		p.Query += by
		shifted[i] = p
	}
	return shifted
}

// keyValues are what pass 1 leaves in a layer.
type keyValues struct{ k, v torch.Tensor }

// detachedLoss runs pass 1 without a graph, keeping keys and values of every layer, and pass 2 after it.
func (m *LanguageModel) detachedLoss(c *Chain, j Joint) torch.Tensor {
	kept := m.readTexts(c.Scope(), j)
	prepared := m.Prepare(c.Scope(), j.Queries)
	own, inBatch := selfAttention(prepared.Pairs, true), j.inBatch(c.Shared, j.Pairs)
	call := Call{Prepared: prepared, Train: j.Train}
	call.Attend = func(s *torch.Scope, layer int, q, k, v torch.Tensor, window int64) torch.Tensor {
		term := s.Attention(q, kept[layer].k, kept[layer].v, inverseRoot(s.Size(q, -1)), inBatch)
		return s.Add(own(s, layer, q, k, v, window), term)
	}
	x := c.Stage(torch.Tensor{}, m.EmbedParams(), func(s *torch.Scope, _ torch.Tensor) torch.Tensor { return m.Embed(s, j.Queries) })
	for i := range m.Depth() {
		x = c.Stage(x, m.LayerParams(i), func(s *torch.Scope, x torch.Tensor) torch.Tensor { return m.Layer(s, i, x, call.during(c)) })
	}
	return c.Last(x, m.headParams(), func(s *torch.Scope, x torch.Tensor) torch.Tensor { return m.loss(s, x, j.Targets) })
}

// readTexts is pass 1 without a graph; the last layer stops at keys and values.
func (m *LanguageModel) readTexts(s *torch.Scope, j Joint) []keyValues {
	kept := make([]keyValues, m.Depth())
	torch.NoGrad(func() {
		prepared := m.Prepare(s, j.Texts)
		own := selfAttention(prepared.Pairs, true)
		x := s.Sub(func(sub *torch.Scope) []torch.Tensor { return []torch.Tensor{m.Embed(sub, j.Texts)} })[0]
		for i := range m.Depth() {
			out := s.Sub(func(sub *torch.Scope) []torch.Tensor {
				var k1, v1 torch.Tensor
				call := Call{Prepared: prepared, Train: j.Train}
				call.Attend = func(s *torch.Scope, layer int, q, k, v torch.Tensor, window int64) torch.Tensor {
					k1, v1 = k, v
					if !q.Defined() {
						return torch.Tensor{}
					}
					return own(s, layer, q, k, v, window)
				}
				if i == m.Depth()-1 {
					call.From = j.Texts.Tokens()
				}
				return []torch.Tensor{m.Layer(sub, i, x, call), k1, v1}
			})
			x, kept[i] = out[0], keyValues{out[1], out[2]}
		}
	})
	return kept
}
