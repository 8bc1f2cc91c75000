package checkpoint

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// Config is what config.json says of a network, with the defaults of transformers' configuration class of the same
// model_type. Names that differ between families are brought together under the commonest one.
type Config struct {
	Architectures []string // class names, such as "LlamaForCausalLM"
	ModelType     string   // "llama", "qwen2", "bert", …

	HiddenSize            int
	IntermediateSize      int
	NumHiddenLayers       int
	NumAttentionHeads     int
	NumKeyValueHeads      int // = NumAttentionHeads without grouped-query attention
	HeadDim               int // hidden / heads unless config.json says otherwise
	VocabSize             int
	MaxPositionEmbeddings int
	TypeVocabSize         int // BERT's token types; 0 where there are none

	RMSNormEps   float64
	LayerNormEps float64
	HiddenAct    string // "silu", "gelu", "gelu_pytorch_tanh", …

	TieWordEmbeddings     bool   // the output projection is the embedding matrix
	AttentionBias         bool   // Llama, Qwen3: q, k, v and o projections have biases (Qwen2's q, k, v always do)
	MLPBias               bool   // Llama: gate, up and down projections have biases
	PositionEmbeddingType string // BERT: "absolute"

	RopeTheta      float64      // base of the rotary frequencies
	RopeScaling    *RopeScaling // nil for plain rotary embeddings
	LocalRopeTheta float64      // base in sliding-window layers where it differs (Gemma 3, ModernBERT), else RopeTheta

	// SlidingWindow is how many positions a sliding layer sees, the own included (ModernBERT's local_attention: half of
	// them on either side); 0 when no layer slides.
	SlidingWindow    int
	UseSlidingWindow bool // Qwen2, Qwen3: SlidingWindow counts only when this is set
	MaxWindowLayers  int  // Qwen2, Qwen3: the first layers that attend in full, when LayerTypes is not given
	// LayerTypes has "full_attention" or "sliding_attention" for every layer, given or derived as transformers does.
	LayerTypes []string

	PadTokenID int   // -1 when there is none
	BOSTokenID int   // -1 when there is none
	EOSTokenID []int // one id or several, empty when there is none

	TorchDType string // type of the stored weights ("float32", "bfloat16", …), empty when not said

	File string // where it was read from, for messages
	Raw  []byte // the file as it is, to be written back on export; for GGUF a config.json made from its header
}

// ReadConfig reads and checks config.json of a model folder. Where there is none it makes one from the header of the
// folder's GGUF file; dir may also be the path of a *.gguf file. Errors name file, line, key, what was found and what
// was expected.
func ReadConfig(dir string) (*Config, error) {
	path := filepath.Join(dir, configFile)
	if isGGUF(dir) || !exists(path) {
		if gguf, err := ggufFile(dir); err == nil {
			return readGGUFConfig(gguf)
		}
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	return ParseConfig(path, content)
}

// ParseConfig is ReadConfig for content that is at hand; file is its name in messages.
func ParseConfig(file string, content []byte) (*Config, error) {
	o, err := parseObject(file, "", content, 1)
	if err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	c := &Config{File: file, Raw: content}
	c.read(o)
	if o.err != nil {
		return nil, fmt.Errorf("read config: %w", o.err)
	}
	return c, nil
}

func (c *Config) read(o *object) {
	o.read("architectures", &c.Architectures, "a list of class names")
	if !o.has("model_type") {
		o.fail("model_type", `a model type such as "llama"`)
	}
	o.text("model_type", &c.ModelType)
	c.setDefaults()
	c.readSizes(o)
	c.readLayers(o)
	c.readRope(o)
	c.readWindows(o)
	c.readTokens(o)
}

// alias returns the first of several names for one setting that config.json uses, else the first.
func alias(o *object, keys ...string) string {
	if i := slices.IndexFunc(keys, o.has); i >= 0 {
		return keys[i]
	}
	return keys[0]
}

// maxLayers keeps a broken config.json from asking for absurd amounts of memory.
const maxLayers = 10_000

func (c *Config) readSizes(o *object) {
	intermediate := alias(o, "intermediate_size", "hidden_dim") // DistilBERT: dim, hidden_dim, n_layers, n_heads
	o.required(alias(o, "hidden_size", "dim"), &c.HiddenSize)
	o.required(intermediate, &c.IntermediateSize)
	layers := alias(o, "num_hidden_layers", "n_layers")
	o.required(layers, &c.NumHiddenLayers)
	if c.NumHiddenLayers > maxLayers {
		o.fail(layers, fmt.Sprintf("at most %d", maxLayers))
	}
	heads := alias(o, "num_attention_heads", "n_heads")
	o.required(heads, &c.NumAttentionHeads)
	o.required("vocab_size", &c.VocabSize)
	o.size("max_position_embeddings", &c.MaxPositionEmbeddings)
	o.size("type_vocab_size", &c.TypeVocabSize)
	if o.err != nil {
		return
	}
	c.readHeads(o, heads)
}

func (c *Config) readHeads(o *object, heads string) {
	if c.NumKeyValueHeads == 0 || o.fields["num_key_value_heads"].raw != nil && !o.has("num_key_value_heads") {
		c.NumKeyValueHeads = c.NumAttentionHeads
	}
	o.size("num_key_value_heads", &c.NumKeyValueHeads)
	if o.err == nil && c.NumAttentionHeads%c.NumKeyValueHeads != 0 {
		o.fail("num_key_value_heads", fmt.Sprintf("a divisor of %s %d", heads, c.NumAttentionHeads))
	}
	if c.HeadDim == 0 && !o.has("head_dim") {
		if c.HiddenSize%c.NumAttentionHeads != 0 {
			o.fail(heads, fmt.Sprintf("a divisor of the hidden size %d", c.HiddenSize))
		}
		c.HeadDim = c.HiddenSize / c.NumAttentionHeads
	}
	o.size("head_dim", &c.HeadDim)
}

func (c *Config) readLayers(o *object) {
	o.positive("rms_norm_eps", &c.RMSNormEps)
	o.positive(alias(o, "layer_norm_eps", "norm_eps"), &c.LayerNormEps)
	o.text(alias(o, "hidden_act", "hidden_activation", "activation"), &c.HiddenAct)
	o.flag("tie_word_embeddings", &c.TieWordEmbeddings)
	o.flag("attention_bias", &c.AttentionBias)
	o.flag("mlp_bias", &c.MLPBias)
	o.text("position_embedding_type", &c.PositionEmbeddingType)
	o.text(alias(o, "dtype", "torch_dtype"), &c.TorchDType)
}

func (c *Config) readTokens(o *object) {
	o.tokenID("pad_token_id", &c.PadTokenID)
	o.tokenID("bos_token_id", &c.BOSTokenID)
	o.tokenIDs("eos_token_id", &c.EOSTokenID)
}
