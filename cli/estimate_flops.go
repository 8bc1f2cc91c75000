package cli

import (
	"strings"

	"revela/bench"
	"revela/config"
	"revela/model"
	"revela/torch"
)

// stepFlops is what the matrix products of a training step take, counted as bench does for models that are at hand: texts
// at most lengths, and one other text that carries weight for each, as is the rule at the paper's temperature.
func stepFlops(c *config.Config, retriever, lm network) float64 {
	texts, lengths := int64(c.Data.GroupSize), c.Retriever.TrainMaxLength
	query := int64(lengths.Query)
	if c.Objective.Query == "first_half" {
		query /= 2
	}
	passage := int64(lengths.Passage)
	total := retriever.trainFlops(c, c.Retriever.Freeze, c.Retriever.LoRA, func(bool) int64 { return texts * (query + passage) })
	total += float64(texts) * retriever.attentionFlops(triangle(query)+triangle(passage)) * float64(retriever.NumHiddenLayers)
	if c.Objective.Name != "infonce" {
		total += lmFlops(c, lm, texts)
	}
	return total * float64(c.Train.GroupsPerStep)
}

// lmFlops counts both passes of the language model over a group. The last layer of pass 1 stops at keys and values.
func lmFlops(c *config.Config, lm network, texts int64) float64 {
	first, second := int64(c.Data.MaxLength.Text), int64(c.Data.MaxLength.Query)
	total := lm.trainFlops(c, c.LM.Freeze, c.LM.LoRA, func(stops bool) int64 {
		if stops {
			return texts * second
		}
		return texts * (first + second)
	})
	layers := float64(lm.NumHiddenLayers)
	own := triangle(second)*layers + triangle(first)*(layers-1)
	inBatch := float64(first*second) * layers
	total += float64(texts) * lm.attentionFlops(own+inBatch)
	embeddings := c.LM.Freeze == config.FreezeNothing && c.LM.LoRA == nil
	return total + bench.LinearFlops(texts*(second-1), int64(lm.VocabSize), int64(lm.HiddenSize), true, embeddings)
}

// trainFlops counts the linear layers, forward and backward. tokens says how many a layer reads; stops marks those that only
// pass 2 needs in the last layer of a language model.
func (n network) trainFlops(c *config.Config, freeze config.Freeze, lora *config.LoRA, tokens func(stops bool) int64) float64 {
	compute := torch.Float32
	if c.Precision == "bf16" {
		compute = torch.BFloat16
	}
	learns := freeze != config.FreezeAll && lora == nil
	total := 0.0
	for layer := range n.NumHiddenLayers {
		for i, l := range n.linears {
			linear := &model.Linear{Weight: param(l.out, l.in, learns)}
			if lora != nil && adapts(lora, l.name) {
				linear.LoRA = &model.LoRA{A: param(lora.Rank, l.in, true), B: param(l.out, lora.Rank, true)}
			}
			stops := layer == n.NumHiddenLayers-1 && l.name != "k_proj" && l.name != "v_proj"
			inputGradient := layer > 0 || i > 2 || learns && freeze == config.FreezeNothing // the first three read the layer's input
			total += bench.LayerFlops(linear, tokens(stops), inputGradient, compute)
		}
	}
	return total
}

func param(out, in int, learns bool) *model.Param {
	return &model.Param{Shape: []int64{int64(out), int64(in)}, Learns: learns}
}

// attentionFlops counts 2 products forward and 4 backward over so many pairs of positions.
func (n network) attentionFlops(positions float64) float64 {
	return 6 * 2 * positions * float64(n.linears[0].out)
}

// triangle is the number of positions that a causal sequence sees.
func triangle(tokens int64) float64 { return float64(tokens) * float64(tokens+1) / 2 }

// encodeFlops counts the products of encoding texts of so many tokens, without a graph.
func (n network) encodeFlops(texts, tokens int64) float64 {
	one := 0.0
	for _, l := range n.linears {
		one += bench.LinearFlops(tokens, int64(l.out), int64(l.in), false, false)
	}
	one += n.attentionFlops(triangle(tokens)) / 3
	return float64(texts) * float64(n.NumHiddenLayers) * one
}

func adapts(lora *config.LoRA, name string) bool {
	if lora.Targets.AllLinear() {
		return true
	}
	for _, target := range lora.Targets {
		if strings.HasSuffix(target, name) {
			return true
		}
	}
	return false
}
