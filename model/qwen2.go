package model

import "revela/model/checkpoint"

func init() {
	// Qwen2ForCausalLM (Qwen2, Qwen2.5): queries, keys and values have biases, the output projection has none.
	registerDecoder("qwen2", func(*checkpoint.Config) decoderKind { return decoderKind{qkvBias: true} })
}
