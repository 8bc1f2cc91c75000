// Package tokenizer turns text into the token ids of a HuggingFace tokenizer and back.
//
// It reads tokenizer.json (byte-level BPE, BPE with byte fallback, WordPiece), the older vocabulary files
// (vocab.txt; vocab.json with merges.txt) and the vocabulary of a GGUF header, and gives the ids that
// HuggingFace tokenizers 0.23 gives. The way of a text is that library's:
//
//	text → added tokens cut out → normalizer → pre-tokenizer → model (word by word) → post-processor → ids
//
// A component, pattern or option that this package does not know is an error when the file is loaded, never
// a silent difference. The `truncation` and `padding` entries of tokenizer.json are ignored, as transformers
// does; EncodeMax truncates.
//
// Text that is not valid UTF-8 cannot be given to HuggingFace tokenizers. Here every maximal invalid part
// becomes one U+FFFD first, as Python's bytes.decode(errors="replace") does.
//
// The WordPiece model and the decoders WordPiece, Fuse and BPEDecoder are those of sugarme/tokenizer, which
// are exact; its encode path is not, so the rest is written here.
package tokenizer
