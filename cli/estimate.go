package cli

import (
	"fmt"
	"slices"
	"strings"

	"revela/config"
	"revela/model"
	"revela/model/checkpoint"
)

// linear is a kind of linear layer: how often it occurs and how wide it is.
type linear struct {
	name    string
	in, out int
}

// network is the shape of a model as its config.json gives it.
type network struct {
	*checkpoint.Config
	linears    []linear // of one layer
	embeddings int64    // parameters of the embedding tables, their norm and an untied head
	other      int64    // parameters of norms and biases, over all layers
	saved      int64    // values a token that one layer keeps for its backward pass
}

// newNetwork counts the parameters of an encoder (BERT) or a decoder (the Llama family), the latter's own head included
// where it is used.
func newNetwork(c *checkpoint.Config, withHead bool) (network, error) {
	switch c.ModelType {
	case "bert":
		return newEncoder(c), nil
	case "llama", "mistral", "qwen2", "qwen3":
		return newDecoder(c, withHead), nil
	}
	return network{}, fmt.Errorf("%s: model_type: found %q, expected bert, llama, mistral, qwen2 or qwen3", c.File, c.ModelType)
}

func newEncoder(c *checkpoint.Config) network {
	h, i := c.HiddenSize, c.IntermediateSize
	biases, norms := 5*h+i, 4*h
	return network{
		Config:     c,
		linears:    []linear{{"query", h, h}, {"key", h, h}, {"value", h, h}, {"dense", h, h}, {"dense", h, i}, {"dense", i, h}},
		embeddings: int64(c.VocabSize+c.MaxPositionEmbeddings+c.TypeVocabSize+2) * int64(h), // 2: their norm
		other:      int64(c.NumHiddenLayers * (biases + norms)),
		saved:      int64(8*h + 2*i),
	}
}

func newDecoder(c *checkpoint.Config, withHead bool) network {
	h, i := c.HiddenSize, c.IntermediateSize
	q, kv := c.NumAttentionHeads*c.HeadDim, c.NumKeyValueHeads*c.HeadDim
	layer := 2 * h // norms and biases of one
	if c.AttentionBias || c.ModelType == "qwen2" {
		layer += q + 2*kv
	}
	if c.AttentionBias {
		layer += h
	}
	if c.MLPBias {
		layer += 2*i + h
	}
	if c.ModelType == "qwen3" {
		layer += 2 * c.HeadDim
	}
	n := network{
		Config: c,
		linears: []linear{
			{"q_proj", h, q}, {"k_proj", h, kv}, {"v_proj", h, kv}, {"o_proj", q, h},
			{"gate_proj", h, i}, {"up_proj", h, i}, {"down_proj", i, h},
		},
		embeddings: int64(c.VocabSize) * int64(h),
		other:      int64(h + c.NumHiddenLayers*layer),
		saved:      int64(6*h + 2*q + 2*kv + 3*i),
	}
	if withHead && !c.TieWordEmbeddings {
		n.embeddings *= 2
	}
	return n
}

// parameters is the number of all weights.
func (n network) parameters() int64 {
	total := n.embeddings + n.other
	for _, l := range n.linears {
		total += int64(n.NumHiddenLayers) * int64(l.in) * int64(l.out)
	}
	return total
}

// learning is the number of weights that learn.
func (n network) learning(freeze config.Freeze, lora *config.LoRA) int64 {
	switch {
	case freeze == config.FreezeAll:
		return 0
	case lora != nil:
		return n.adapter(lora)
	case freeze == config.FreezeEmbeddings:
		return n.parameters() - n.embeddings
	}
	return n.parameters()
}

// adapter is the number of weights of a LoRA adapter: rank · (in + out) a layer that it changes.
func (n network) adapter(lora *config.LoRA) int64 {
	var total int64
	for _, l := range n.linears {
		if lora.Targets.AllLinear() || slices.ContainsFunc(lora.Targets, func(t string) bool { return strings.HasSuffix(t, l.name) }) {
			total += int64(n.NumHiddenLayers) * int64(lora.Rank) * int64(l.in+l.out)
		}
	}
	return total
}

// memory is an estimate of the bytes that training holds at its peak, for one model.
type memory struct {
	Weights     int64 `json:"weights"`
	Learning    int64 `json:"learning"` // fp32 gradients and the optimiser's two moments, adapters
	Activations int64 `json:"activations"`
}

func (m memory) total() int64 { return m.Weights + m.Learning + m.Activations }

// estimate is the memory of a model that keeps the activations of so many tokens for its backward pass.
func (n network) estimate(c *config.Config, learning, tokens int64) memory {
	width := int64(4) // bytes of a value in the products
	if c.Precision == "bf16" {
		width = 2
	}
	layers := int64(n.NumHiddenLayers)
	m := memory{Weights: n.parameters() * width, Learning: learning * 12, Activations: tokens * layers * n.saved * width}
	if learning > 0 && (width == 2 || learning < n.parameters()/2) {
		m.Learning += learning * 4 // fp32 masters beside bf16 weights, or adapters beside the base
	}
	if width == 4 && learning < n.parameters()/2 {
		m.Weights += (n.parameters() - n.embeddings - n.other) * width // packed for both directions
	}
	if c.Train.ActivationCheckpointing == config.On {
		m.Activations = tokens * (layers*int64(n.HiddenSize) + n.saved - 3*int64(n.IntermediateSize)) * width // the inner width: by blocks
	}
	return m
}

// estimateRetriever is the number of weights that learn of a retriever, and the memory that it takes in training: with
// activation checkpointing it works by slices of a group.
func (n network) estimateRetriever(c *config.Config) (learning int64, m memory) {
	learning = n.learning(c.Retriever.Freeze, c.Retriever.LoRA)
	query, passage := int64(c.Retriever.TrainMaxLength.Query), int64(c.Retriever.TrainMaxLength.Passage)
	tokens := int64(c.Data.GroupSize) * (query + passage) // each text as query and as passage
	kept := *c
	if c.Train.ActivationCheckpointing == config.On {
		tokens = min(tokens, max(model.SliceTokens, query, passage))
		kept.Train.ActivationCheckpointing = config.Off
	}
	return learning, n.estimate(&kept, learning, tokens)
}

// estimateLM is the same of a language model, whose states are kept over both passes.
func (n network) estimateLM(c *config.Config) (learning int64, m memory) {
	learning = n.learning(c.LM.Freeze, c.LM.LoRA)
	tokens := int64(c.Data.MaxLength.Query)
	if !c.Objective.DetachPassages {
		tokens += int64(c.Data.MaxLength.Text)
	}
	return learning, n.estimate(c, learning, int64(c.Data.GroupSize)*tokens)
}
