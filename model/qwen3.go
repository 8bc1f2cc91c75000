package model

import "revela/model/checkpoint"

func init() {
	// Qwen3ForCausalLM: every head of queries and keys is normalised before the rotary embedding.
	registerDecoder("qwen3", func(c *checkpoint.Config) decoderKind {
		return decoderKind{qkNorm: true, qkvBias: c.AttentionBias, outputBias: c.AttentionBias}
	})
}
