// Package model holds the networks: decoders and encoders of HuggingFace checkpoints, LoRA, the retriever, the language
// model and the in-batch attention of Revela (arXiv 2506.16552) that ties the two together.
//
// Tokens are packed: the sequences of a batch lie one after another without padding, and every tensor of hidden
// states is [tokens, hidden]. Shapes in comments use: tokens T, hidden D, heads H, key-value heads Hkv, head width Dh.
package model
