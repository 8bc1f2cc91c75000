package model

import "revela/model/checkpoint"

func init() {
	// MistralForCausalLM: a Llama without biases whose layers see a sliding window.
	registerDecoder("mistral", func(*checkpoint.Config) decoderKind { return decoderKind{} })
}
