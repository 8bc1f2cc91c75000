package checkpoint

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unsafe"
)

// ggufFile returns path itself when it is a GGUF file, else the one GGUF file in the folder.
func ggufFile(path string) (string, error) {
	if isGGUF(path) {
		return path, nil
	}
	file, err := singleWeightsFile(path)
	if err == nil && !isGGUF(file) {
		err = fmt.Errorf("%s holds no GGUF file", path)
	}
	return file, err
}

// withGGUF maps a GGUF file for the time of a call.
func withGGUF(path string, use func(g *gguf) error) (err error) {
	m, err := mapFile(path)
	if err != nil {
		return fmt.Errorf("read GGUF: %w", err)
	}
	defer func() { err = errors.Join(err, m.close()) }()
	g, err := parseGGUF(path, m)
	if err == nil {
		err = use(g)
	}
	if err != nil {
		return fmt.Errorf("read GGUF %s: %w", path, err)
	}
	return nil
}

// readGGUFWeights maps a GGUF file of the Llama family. Names and row order are HuggingFace's, values float32.
func readGGUFWeights(path string) (*Weights, error) {
	m, err := mapFile(path)
	if err != nil {
		return nil, fmt.Errorf("read GGUF: %w", err)
	}
	w := &Weights{entries: map[string]entry{}, maps: []mapping{m}}
	g, err := parseGGUF(path, m)
	if err == nil {
		err = w.addGGUF(g)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read GGUF %s: %w", path, err), w.Close())
	}
	return w, nil
}

func (w *Weights) addGGUF(g *gguf) error {
	sizes, err := g.sizes()
	if err != nil {
		return err
	}
	for _, t := range g.tensors {
		name, ok := hfName(t.name)
		if !ok {
			return fmt.Errorf("tensor %s: no HuggingFace name is known for it in architecture %s", t.name, sizes.arch)
		}
		if name == "" {
			continue
		}
		heads := sizes.interleaved(name)
		if rows := t.shape()[0]; heads > 0 && rows%int64(2*heads) != 0 {
			return fmt.Errorf("tensor %s: %d rows do not fit %d heads", t.name, rows, heads)
		}
		w.entries[name] = g.entry(t, name, heads)
	}
	return nil
}

// entry returns a stored tensor under its HuggingFace name. heads > 0 asks for its rows in half-split order.
func (g *gguf) entry(t ggufTensor, name string, heads int) entry {
	e := entry{tensor: Tensor{Name: name, DType: F32, Shape: t.shape(), File: g.path}}
	stored := g.data[t.offset:][:t.bytes()]
	if t.kind == ggmlF32 && heads == 0 {
		e.tensor.Data = stored
		return e
	}
	rows := int(e.tensor.Shape[0])
	e.decode = func() []byte {
		values := dequantize(t.kind, stored)
		if heads > 0 {
			values = splitHalves(values, rows, heads)
		}
		return asBytes(values)
	}
	return e
}

// asBytes views floats as the bytes of a little-endian machine, the only kind that libtorch 2.11 is built for here.
func asBytes(values []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), 4*len(values))
}

// splitHalves undoes llama.cpp's permutation of q and k rows. GGUF keeps the two rows that rotate together beside each
// other (row 2i and 2i+1 of a head), HuggingFace half a head apart (row i and i + headDim/2); transformers'
// modeling_gguf_pytorch_utils calls this _reverse_permute_weights.
func splitHalves(values []float32, rows, heads int) []float32 {
	out := make([]float32, len(values))
	if len(values) == 0 { // rows may be absurdly many when they are empty
		return out
	}
	width, headDim := len(values)/rows, rows/heads
	for row := range rows {
		head, i := row/headDim, row%headDim
		to := head*headDim + i%2*headDim/2 + i/2
		copy(out[to*width:(to+1)*width], values[row*width:(row+1)*width])
	}
	return out
}

// interleaved returns the number of heads whose rows llama.cpp permuted in a tensor, 0 where it did not: it does so
// for q and k of the architecture llama (which Mistral uses as well), weights and biases.
func (s ggufSizes) interleaved(name string) int {
	switch {
	case s.arch != "llama":
		return 0
	case strings.Contains(name, ".self_attn.q_proj."):
		return s.heads
	case strings.Contains(name, ".self_attn.k_proj."):
		return s.kvHeads
	}
	return 0
}

var ggufNames = map[string]string{
	"token_embd":  "model.embed_tokens",
	"output_norm": "model.norm",
	"output":      "lm_head",
}

var ggufLayerNames = map[string]string{
	"attn_norm":   "input_layernorm",
	"attn_q":      "self_attn.q_proj",
	"attn_k":      "self_attn.k_proj",
	"attn_v":      "self_attn.v_proj",
	"attn_output": "self_attn.o_proj",
	"attn_q_norm": "self_attn.q_norm",
	"attn_k_norm": "self_attn.k_norm",
	"ffn_norm":    "post_attention_layernorm",
	"ffn_gate":    "mlp.gate_proj",
	"ffn_up":      "mlp.up_proj",
	"ffn_down":    "mlp.down_proj",
}

var ggufLayer = regexp.MustCompile(`^blk\.(\d+)\.(\w+)$`)

// hfName returns HuggingFace's name of a GGUF tensor; the empty name stands for rope_freqs, which is no weight but
// belongs to the configuration.
func hfName(name string) (hf string, ok bool) {
	if name == ropeFreqs {
		return "", true
	}
	stem, kind, _ := cutLast(name, ".")
	if kind != "weight" && kind != "bias" {
		return "", false
	}
	if base, ok := ggufNames[stem]; ok {
		return base + "." + kind, true
	}
	if m := ggufLayer.FindStringSubmatch(stem); m != nil {
		if base, ok := ggufLayerNames[m[2]]; ok {
			return "model.layers." + m[1] + "." + base + "." + kind, true
		}
	}
	return "", false
}

// cutLast is strings.Cut around the last separator.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
