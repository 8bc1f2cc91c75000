package model

import "revela/model/checkpoint"

func init() {
	// LlamaForCausalLM: biases only where config.json says so. SmolLM2 is a Llama.
	registerDecoder("llama", func(c *checkpoint.Config) decoderKind {
		return decoderKind{qkvBias: c.AttentionBias, outputBias: c.AttentionBias, mlpBias: c.MLPBias}
	})
}
