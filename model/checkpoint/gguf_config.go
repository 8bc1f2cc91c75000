package checkpoint

import (
	"encoding/json"
	"fmt"
	"math"
)

// ropeFreqs is the tensor in which llama.cpp keeps what llama3 rope scaling divides the frequencies by.
const ropeFreqs = "rope_freqs.weight"

// ggufArchitectures maps general.architecture to HuggingFace's class.
var ggufArchitectures = map[string]string{
	"llama": "LlamaForCausalLM",
	"qwen2": "Qwen2ForCausalLM",
	"qwen3": "Qwen3ForCausalLM",
}

// ggufSizes is what both the weights and the configuration need of a header.
type ggufSizes struct {
	arch           string
	heads, kvHeads int
}

func (g *gguf) sizes() (ggufSizes, error) {
	s := ggufSizes{arch: get(g, "general.architecture", "")}
	if _, ok := ggufArchitectures[s.arch]; !ok {
		return s, fmt.Errorf("general.architecture is %q, supported are llama, qwen2 and qwen3", s.arch)
	}
	heads := g.uint(s.arch+".attention.head_count", 0)
	kvHeads := g.uint(s.arch+".attention.head_count_kv", heads)
	if heads == 0 || kvHeads == 0 || heads > 1<<16 || kvHeads > heads {
		return s, fmt.Errorf("%s.attention.head_count is %d and head_count_kv %d, expected positive integers", s.arch, heads, kvHeads)
	}
	s.heads, s.kvHeads = int(heads), int(kvHeads)
	return s, nil
}

// readGGUFConfig makes a configuration from the header of a GGUF file.
func readGGUFConfig(path string) (c *Config, err error) {
	var raw []byte
	err = withGGUF(path, func(g *gguf) error {
		values, err := g.configValues()
		if err != nil {
			return err
		}
		raw, err = json.MarshalIndent(values, "", "  ")
		return err
	})
	if err != nil {
		return nil, err
	}
	return ParseConfig(path+" (header)", append(raw, '\n'))
}

// configValues returns the header as keys of a config.json; what it lacks gets transformers' default.
func (g *gguf) configValues() (map[string]any, error) {
	s, err := g.sizes()
	if err != nil {
		return nil, err
	}
	values := map[string]any{
		"architectures":       []string{ggufArchitectures[s.arch]},
		"model_type":          s.arch,
		"num_attention_heads": s.heads,
		"num_key_value_heads": s.kvHeads,
		"hidden_act":          "silu",
		"tie_word_embeddings": !g.has("output.weight"),
		"vocab_size":          g.rows("token_embd.weight"),
		"torch_dtype":         "float32",
	}
	for key, from := range map[string]string{
		"hidden_size":             "embedding_length",
		"intermediate_size":       "feed_forward_length",
		"num_hidden_layers":       "block_count",
		"max_position_embeddings": "context_length",
		"head_dim":                "attention.key_length",
		"rms_norm_eps":            "attention.layer_norm_rms_epsilon",
		"rope_theta":              "rope.freq_base",
	} {
		g.copyValue(values, key, s.arch+"."+from)
	}
	if s.arch == "llama" {
		values["attention_bias"] = g.has("blk.0.attn_q.bias")
		values["mlp_bias"] = g.has("blk.0.ffn_up.bias")
	}
	if values["head_dim"] == nil {
		g.copyValue(values, "head_dim", s.arch+".rope.dimension_count")
	}
	for _, token := range []string{"bos", "eos"} {
		g.copyValue(values, token+"_token_id", "tokenizer.ggml."+token+"_token_id")
	}
	g.copyValue(values, "pad_token_id", "tokenizer.ggml.padding_token_id")
	values["rope_scaling"], err = g.ropeScaling(s.arch)
	return values, err
}

// copyValue copies a value of the header when it is there; floats as the shortest decimal of their float32, since
// 1e-5 is meant where the float32 next to it is stored.
func (g *gguf) copyValue(values map[string]any, key, from string) {
	switch v := g.values[from].(type) {
	case nil:
	case float64:
		values[key] = json.Number(fmt.Sprint(float32(v)))
	default:
		values[key] = v
	}
}

func (g *gguf) tensor(name string) (ggufTensor, bool) {
	for _, t := range g.tensors {
		if t.name == name {
			return t, true
		}
	}
	return ggufTensor{}, false
}

func (g *gguf) has(tensor string) bool {
	_, ok := g.tensor(tensor)
	return ok
}

// rows returns the first size of a tensor's shape, 0 when there is none.
func (g *gguf) rows(name string) int64 {
	t, ok := g.tensor(name)
	if !ok {
		return 0
	}
	return t.shape()[0]
}

// ropeScaling returns the header's rope scaling as config.json has it, nil for none.
func (g *gguf) ropeScaling(arch string) (any, error) {
	if t, ok := g.tensor(ropeFreqs); ok {
		return llama3Scaling(dequantize(t.kind, g.data[t.offset:][:t.bytes()]), float64(get(g, arch+".rope.freq_base", 10000.0)))
	}
	kind := get(g, arch+".rope.scaling.type", "none")
	if kind == "none" || kind == "" {
		return nil, nil
	}
	scaling := map[string]any{"rope_type": kind}
	g.copyValue(scaling, "factor", arch+".rope.scaling.factor")
	g.copyValue(scaling, "original_max_position_embeddings", arch+".rope.scaling.original_context_length")
	return scaling, nil
}

// llama3Scaling recovers the llama3 settings behind rope_freqs: GGUF keeps only the divisor of each frequency. All
// published models share low_freq_factor 1, high_freq_factor 4 and 8192 original positions, and the largest divisor
// is the factor; the divisors that these give must be the stored ones.
func llama3Scaling(stored []float32, theta float64) (any, error) {
	const low, high, original = 1.0, 4.0, 8192
	factor := 1.0
	for _, v := range stored {
		factor = max(factor, float64(v))
	}
	for i, v := range stored {
		wavelength := 2 * math.Pi * math.Pow(theta, float64(i)/float64(len(stored)))
		smooth := min(max((original/wavelength-low)/(high-low), 0), 1)
		want := 1 / ((1-smooth)/factor + smooth)
		if math.Abs(float64(v)-want) > 1e-4*want {
			return nil, fmt.Errorf("tensor %s: value %d is %v, expected %v of llama3 scaling by %v", ropeFreqs, i, v, want, factor)
		}
	}
	return map[string]any{
		"rope_type": "llama3", "factor": factor, "low_freq_factor": low, "high_freq_factor": high,
		"original_max_position_embeddings": original,
	}, nil
}
