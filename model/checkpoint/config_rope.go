package checkpoint

import (
	"fmt"
	"slices"
)

// Layer types as transformers names them.
const (
	FullAttention    = "full_attention"
	SlidingAttention = "sliding_attention"
)

// RopeScaling changes the rotary frequencies for contexts longer than those of pre-training (transformers'
// modeling_rope_utils). Fields that a type does not use are 0.
type RopeScaling struct {
	Type                          string  // "linear", "dynamic", "yarn", "llama3", …
	Factor                        float64 // how much longer
	LowFreqFactor                 float64 // llama3: wavelengths above original/low are divided by Factor …
	HighFreqFactor                float64 // … those below original/high are kept, those between interpolated
	OriginalMaxPositionEmbeddings int     // the context of pre-training
}

// readRope reads transformers 5's rope_parameters (for all layers, or one set a layer type), else the older
// rope_theta and rope_scaling.
func (c *Config) readRope(o *object) {
	o.positive(alias(o, "rope_theta", "global_rope_theta", "rotary_emb_base"), &c.RopeTheta)
	o.positive(alias(o, "rope_local_base_freq", "local_rope_theta"), &c.LocalRopeTheta)
	parameters := o.object("rope_parameters")
	switch {
	case parameters != nil && parameters.has(FullAttention):
		full, sliding := parameters.object(FullAttention), parameters.object(SlidingAttention)
		c.readRopeParameters(full)
		if sliding != nil {
			sliding.positive("rope_theta", &c.LocalRopeTheta)
		}
		o.adopt(parameters, full, sliding)
	case parameters != nil:
		c.readRopeParameters(parameters)
		o.adopt(parameters)
	default:
		scaling := o.object("rope_scaling")
		c.readScaling(scaling)
		o.adopt(scaling)
	}
	if c.LocalRopeTheta == 0 {
		c.LocalRopeTheta = c.RopeTheta
	}
}

// adopt takes over the first error of nested objects.
func (o *object) adopt(nested ...*object) {
	for _, n := range nested {
		if n != nil && o.err == nil {
			o.err = n.err
		}
	}
}

func (c *Config) readRopeParameters(o *object) {
	if o == nil {
		return
	}
	o.positive("rope_theta", &c.RopeTheta)
	c.readScaling(o)
}

func (c *Config) readScaling(o *object) {
	if o == nil {
		return
	}
	s := RopeScaling{Type: "default", OriginalMaxPositionEmbeddings: c.MaxPositionEmbeddings}
	o.text(alias(o, "rope_type", "type"), &s.Type)
	if s.Type == "default" || o.err != nil {
		return
	}
	o.positive("factor", &s.Factor)
	o.positive("low_freq_factor", &s.LowFreqFactor)
	o.positive("high_freq_factor", &s.HighFreqFactor)
	o.size("original_max_position_embeddings", &s.OriginalMaxPositionEmbeddings)
	s.check(o)
	c.RopeScaling = &s
}

// check demands the settings that a known type needs.
func (s RopeScaling) check(o *object) {
	needs := map[string][]string{
		"linear": {"factor"},
		"llama3": {"factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"},
	}[s.Type]
	for _, key := range needs {
		if !o.has(key) {
			o.fail(key, fmt.Sprintf("a number, since the rope type is %q", s.Type))
		}
	}
	if s.Type == "llama3" && o.err == nil && s.LowFreqFactor >= s.HighFreqFactor {
		o.fail("low_freq_factor", fmt.Sprintf("less than high_freq_factor %v", s.HighFreqFactor))
	}
}

// readWindows settles which layers see only a window of positions.
func (c *Config) readWindows(o *object) {
	o.flag("use_sliding_window", &c.UseSlidingWindow)
	o.read("max_window_layers", &c.MaxWindowLayers, "an integer")
	if f, ok := o.fields["sliding_window"]; ok && string(f.raw) == "null" {
		c.SlidingWindow = 0
	}
	o.size(alias(o, "sliding_window", "local_attention"), &c.SlidingWindow)
	if (c.ModelType == "qwen2" || c.ModelType == "qwen3") && !c.UseSlidingWindow {
		c.SlidingWindow = 0
	}
	if !o.read("layer_types", &c.LayerTypes, "a list of attention types") && o.err == nil {
		c.LayerTypes = c.deriveLayerTypes(o)
	}
	c.checkLayerTypes(o)
	if !slices.Contains(c.LayerTypes, SlidingAttention) {
		c.SlidingWindow = 0
	}
}

// deriveLayerTypes does what transformers' configuration classes do without layer_types.
func (c *Config) deriveLayerTypes(o *object) []string {
	slides := func(int) bool { return false }
	switch {
	case c.SlidingWindow == 0:
	case c.ModelType == "mistral":
		slides = func(int) bool { return true }
	case c.ModelType == "qwen2" || c.ModelType == "qwen3":
		slides = func(layer int) bool { return layer >= c.MaxWindowLayers }
	case c.ModelType == "modernbert":
		every := 3
		o.size("global_attn_every_n_layers", &every)
		slides = func(layer int) bool { return layer%every != 0 }
	case c.ModelType == "gemma3_text":
		pattern := 6
		o.size(alias(o, "sliding_window_pattern", "_sliding_window_pattern"), &pattern)
		slides = func(layer int) bool { return (layer+1)%pattern != 0 }
	}
	types := make([]string, c.NumHiddenLayers)
	for layer := range types {
		types[layer] = FullAttention
		if slides(layer) {
			types[layer] = SlidingAttention
		}
	}
	return types
}

func (c *Config) checkLayerTypes(o *object) {
	if o.err == nil && len(c.LayerTypes) != c.NumHiddenLayers {
		o.fail("layer_types", fmt.Sprintf("%d entries, one a layer", c.NumHiddenLayers))
	}
	for _, t := range c.LayerTypes {
		if t != FullAttention && t != SlidingAttention {
			o.fail("layer_types", fmt.Sprintf("only %q and %q", FullAttention, SlidingAttention))
		}
	}
	if c.SlidingWindow == 0 && slices.Contains(c.LayerTypes, SlidingAttention) {
		o.fail("layer_types", fmt.Sprintf("no %q, since no sliding window is set", SlidingAttention))
	}
}

// Window returns how many positions a layer sees, itself included; 0 stands for all.
func (c *Config) Window(layer int) int {
	if c.LayerTypes[layer] == SlidingAttention {
		return c.SlidingWindow
	}
	return 0
}
