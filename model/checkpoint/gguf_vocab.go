package checkpoint

import "slices"

// GGUFVocab is the tokenizer in the header of a GGUF file (keys tokenizer.ggml.*).
type GGUFVocab struct {
	Tokens []string  // by id
	Merges []string  // "left right", best first; empty for SentencePiece models
	Types  []int32   // by id: 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte; may be empty
	Scores []float32 // by id, SentencePiece models only
	Model  string    // "gpt2" for byte-level BPE, "llama" for SentencePiece BPE
	Pre    string    // llama.cpp's name of the pre-tokenizer, such as "smollm", "llama-bpe", "qwen2"

	BOS, EOS, PAD, UNK int // -1 when absent
	AddBOS, AddEOS     bool
}

// ReadGGUFVocab returns the tokenizer in the header of a GGUF file, given by its path or its folder.
func ReadGGUFVocab(path string) (*GGUFVocab, error) {
	file, err := ggufFile(path)
	if err != nil {
		return nil, err
	}
	var v *GGUFVocab
	err = withGGUF(file, func(g *gguf) error {
		v = g.vocab()
		return nil
	})
	return v, err
}

func (g *gguf) vocab() *GGUFVocab {
	const prefix = "tokenizer.ggml."
	v := &GGUFVocab{
		Tokens: list[string](g, prefix+"tokens"),
		Merges: list[string](g, prefix+"merges"),
		Model:  get(g, prefix+"model", ""),
		Pre:    get(g, prefix+"pre", ""),
		BOS:    g.tokenID("bos"), EOS: g.tokenID("eos"), PAD: g.tokenID("padding"), UNK: g.tokenID("unknown"),
	}
	for _, t := range list[int64](g, prefix+"token_type") {
		v.Types = append(v.Types, int32(t))
	}
	for _, s := range list[float64](g, prefix+"scores") {
		v.Scores = append(v.Scores, float32(s))
	}
	// llama.cpp's defaults for files that do not say
	addBOS := v.Model == "llama" || slices.Contains([]string{"llama3", "llama-v3", "llama-bpe"}, v.Pre)
	v.AddBOS = get(g, prefix+"add_bos_token", addBOS)
	v.AddEOS = get(g, prefix+"add_eos_token", false)
	return v
}

func (g *gguf) tokenID(name string) int {
	const none = 1<<32 - 1
	if id := g.uint("tokenizer.ggml."+name+"_token_id", none); id < none {
		return int(id)
	}
	return -1
}
