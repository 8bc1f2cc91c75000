package checkpoint

// setDefaults fills in what config.json may leave out, after ModelType is known.
func (c *Config) setDefaults() {
	c.HiddenAct, c.RMSNormEps, c.LayerNormEps = "silu", 1e-6, 1e-12
	c.RopeTheta, c.PositionEmbeddingType = 10000, "absolute"
	c.PadTokenID, c.BOSTokenID = -1, -1
	if family, ok := familyDefaults[c.ModelType]; ok {
		family(c)
	}
}

// familyDefaults are what the configuration classes of transformers 5.23 set that differs from setDefaults, by
// model_type. Sizes (hidden_size, num_hidden_layers, …) have no default here: every checkpoint states them, and a
// guessed one would only show later, as a wrong shape.
var familyDefaults = map[string]func(c *Config){
	"llama":       llamaDefaults,
	"mistral":     mistralDefaults,
	"qwen2":       qwenDefaults,
	"qwen3":       func(c *Config) { qwenDefaults(c); c.HeadDim = 128 },
	"gemma3_text": gemmaDefaults,
	"gpt_neox":    neoxDefaults,
	"bert":        func(c *Config) { encoderDefaults(c); c.TypeVocabSize, c.PadTokenID = 2, 0 },
	"distilbert":  func(c *Config) { encoderDefaults(c); c.PadTokenID = 0 },
	"mpnet":       func(c *Config) { encoderDefaults(c); robertaTokens(c) },
	"roberta":     func(c *Config) { encoderDefaults(c); robertaTokens(c); c.TypeVocabSize = 2 },
	"xlm-roberta": func(c *Config) { encoderDefaults(c); robertaTokens(c); c.TypeVocabSize = 2 },
	"modernbert":  modernBERTDefaults,
}

func llamaDefaults(c *Config) {
	c.MaxPositionEmbeddings = 2048
	c.BOSTokenID, c.EOSTokenID = 1, []int{2}
}

func mistralDefaults(c *Config) {
	c.MaxPositionEmbeddings, c.NumKeyValueHeads, c.SlidingWindow = 131072, 8, 4096
	c.BOSTokenID, c.EOSTokenID = 1, []int{2}
}

func qwenDefaults(c *Config) {
	c.MaxPositionEmbeddings, c.NumKeyValueHeads = 32768, 32
	c.SlidingWindow, c.MaxWindowLayers = 4096, 28
}

func gemmaDefaults(c *Config) {
	c.MaxPositionEmbeddings, c.NumKeyValueHeads, c.HeadDim, c.SlidingWindow = 131072, 4, 256, 4096
	c.HiddenAct, c.TieWordEmbeddings = "gelu_pytorch_tanh", true
	c.RopeTheta, c.LocalRopeTheta = 1e6, 10000
	c.PadTokenID, c.BOSTokenID, c.EOSTokenID = 0, 2, []int{1}
}

func neoxDefaults(c *Config) {
	c.MaxPositionEmbeddings = 2048
	c.HiddenAct, c.LayerNormEps, c.AttentionBias = "gelu", 1e-5, true
	c.BOSTokenID, c.EOSTokenID = 0, []int{2}
}

func modernBERTDefaults(c *Config) {
	encoderDefaults(c)
	c.MaxPositionEmbeddings, c.LayerNormEps, c.SlidingWindow = 8192, 1e-5, 128
	c.RopeTheta, c.LocalRopeTheta = 160000, 10000
	c.PadTokenID, c.BOSTokenID, c.EOSTokenID = 50283, 50281, []int{50282}
}

func encoderDefaults(c *Config) {
	c.MaxPositionEmbeddings = 512
	c.HiddenAct, c.TieWordEmbeddings = "gelu", true
}

func robertaTokens(c *Config) { c.PadTokenID, c.BOSTokenID, c.EOSTokenID = 1, 0, []int{2} }
