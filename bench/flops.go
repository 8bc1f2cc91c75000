package bench

import (
	"strconv"
	"strings"

	"revela/model"
	"revela/torch"
	"revela/train"
)

// flops counts the floating point operations of the matrix products that a step cannot do without, 2 for a
// multiplication and an addition: no padding, only pairs of texts that carry weight and texts that are read, no logits of pass 1,
// no way back from vectors whose gradient is 0, the cheaper way of computing LoRA. What is computed again in backward
// (attention's scores, activation checkpointing) does not count.
type flops struct {
	Linear, Attention, Loss float64
}

func (f flops) total() float64 { return f.Linear + f.Attention + f.Loss }

// countFlops counts a step of the objective, forward and backward. pairs are those of the in-batch attention, learning the
// retriever's queries and texts that get a gradient.
func countFlops(m train.Models, b *train.Batch, pairs []torch.Pair, learning []bool, compute torch.DType) flops {
	read, _ := model.Attended(b.LMTexts, pairs)
	both := model.Join(b.LMQueries, read)
	var f flops
	f.addRetriever(m.Retriever.Network, model.Join(b.Queries, b.Texts), learning, compute)
	last := m.LM.Depth() - 1
	f.addNetwork(m.LM, compute, func(layer int, name string) int64 {
		if layer == last && !isKeyOrValue(name) { // pass 1 stops at keys and values
			return b.LMQueries.Tokens()
		}
		return both.Tokens()
	})
	for layer := range m.LM.Depth() {
		own := both
		if layer == last {
			own = b.LMQueries
		}
		f.Attention += attentionFlops(m.LM, own.SelfPairs(), true) + attentionFlops(m.LM, pairs, false)
	}
	head := headOf(m.LM)
	f.Loss = LinearFlops(int64(len(b.Targets.Rows)), head.Shape[0], head.Shape[1], true, head.Learns)
	return f
}

// addRetriever adds a pass over a batch, and the way back of those that get a gradient.
func (f *flops) addRetriever(b model.Backbone, batch *model.Packed, learning []bool, compute torch.DType) {
	var back, rest []int
	for i, learns := range learning {
		if learns {
			back = append(back, i)
		} else {
			rest = append(rest, i)
		}
	}
	trained, read := batch.Select(back), batch.Select(rest)
	f.addNetwork(b, compute, func(int, string) int64 { return trained.Tokens() })
	f.Attention += float64(b.Depth()) * attentionFlops(b, trained.SelfPairs(), b.Causal())
	attention := forwardAttentionFlops(b, read)
	f.Attention += attention
	f.Linear += forwardFlops(b, read) - attention
}

// addNetwork adds the linear layers of a network, which read so many tokens each.
func (f *flops) addNetwork(b model.Backbone, compute torch.DType, tokens func(layer int, name string) int64) {
	embeddings := len(model.Learning(b.EmbedParams())) > 0
	for name, l := range b.Linears() {
		layer := layerOf(name)
		inputGradient := layer > 0 || embeddings || !readsLayerInput(name)
		f.Linear += LayerFlops(l, tokens(layer, name), inputGradient, compute)
	}
}

// forwardFlops counts the products of a pass without a way back.
func forwardFlops(b model.Backbone, p *model.Packed) float64 {
	total := forwardAttentionFlops(b, p)
	for _, l := range b.Linears() {
		out, in := l.Weight.Shape[0], l.Weight.Shape[1]
		total += LinearFlops(p.Tokens(), out, in, false, false)
		if l.LoRA != nil {
			rank := l.LoRA.A.Shape[0]
			total += LinearFlops(p.Tokens(), rank, in, false, false) + LinearFlops(p.Tokens(), out, rank, false, false)
		}
	}
	return total
}

// forwardAttentionFlops counts attention's part of it, 2 of the 6 products.
func forwardAttentionFlops(b model.Backbone, p *model.Packed) float64 {
	return float64(b.Depth()) * attentionFlops(b, p.SelfPairs(), b.Causal()) / 3
}

// LayerFlops counts a linear layer that reads so many tokens, with its LoRA, forward and backward. Only the shapes of its
// parameters are read.
func LayerFlops(l *model.Linear, tokens int64, inputGradient bool, compute torch.DType) float64 {
	out, in := l.Weight.Shape[0], l.Weight.Shape[1]
	apart := LinearFlops(tokens, out, in, inputGradient, l.Weight.Learns)
	if l.LoRA == nil {
		return apart
	}
	rank := l.LoRA.A.Shape[0]
	apart += LinearFlops(tokens, rank, in, inputGradient, true) + LinearFlops(tokens, out, rank, true, true)
	if compute != torch.Float32 { // the sum of weight and update would round small updates away
		return apart
	}
	merged := LinearFlops(tokens, out, in, inputGradient, true) + LinearFlops(out, in, rank, true, true)
	return min(apart, merged)
}

// LinearFlops counts x Wᵀ of so many rows, and the gradients that are wanted.
func LinearFlops(rows, out, in int64, inputGradient, weightGradient bool) float64 {
	products := 1.0
	if inputGradient {
		products++
	}
	if weightGradient {
		products++
	}
	return 2 * products * float64(rows) * float64(out) * float64(in)
}

// attentionFlops counts one layer: 2 products forward and 4 backward, over the positions that may be seen.
func attentionFlops(b model.Backbone, pairs []torch.Pair, causal bool) float64 {
	positions := 0.0
	for _, p := range pairs {
		if causal {
			positions += float64(p.QueryLen) * float64(p.QueryLen+1) / 2
		} else {
			positions += float64(p.QueryLen) * float64(p.KeyLen)
		}
	}
	return 6 * 2 * positions * float64(queryWidth(b))
}

// queryWidth is heads · headDim.
func queryWidth(b model.Backbone) int64 {
	for name, l := range b.Linears() {
		if strings.HasSuffix(name, ".q_proj") || strings.HasSuffix(name, ".query") {
			return l.Weight.Shape[0]
		}
	}
	return b.Width()
}

// headOf is the language model's output projection, its embeddings where they are tied.
func headOf(m *model.LanguageModel) *model.Param {
	params := m.Params()
	if last := params[len(params)-1]; last.Name == "lm_head.weight" {
		return last
	}
	return m.EmbedParams()[0]
}

// layerOf is the first number in a layer's name.
func layerOf(name string) int {
	for part := range strings.SplitSeq(name, ".") {
		if n, err := strconv.Atoi(part); err == nil {
			return n
		}
	}
	return 0
}

func isKeyOrValue(name string) bool {
	return strings.HasSuffix(name, ".k_proj") || strings.HasSuffix(name, ".v_proj")
}

// readsLayerInput tells the projections whose input comes from the layer before and nothing in this one.
func readsLayerInput(name string) bool {
	for _, suffix := range []string{".q_proj", ".k_proj", ".v_proj", ".query", ".key", ".value"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}
