package model

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"revela/internal/fixture"
	"revela/model/checkpoint"
	"revela/model/tokenizer"
	"revela/torch"
)

var eosSettings = RetrieverSettings{Pooling: PoolEOS, Normalize: true, AppendEOS: true, QueryPrefix: "query: ",
	PassagePrefix: "passage: ", MaxLength: 48}

func exportOf(t *testing.T, n Network, dir string) Export {
	t.Helper()
	c, err := checkpoint.ReadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := LoadTokenizer(dir)
	if err != nil {
		t.Fatal(err)
	}
	return Export{Network: n, Config: c, Tokenizer: tok, Base: "org/base"}
}

func exported(t *testing.T, e Export, r RetrieverSettings) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "model")
	if err := ExportSentence(dir, e, r); err != nil {
		t.Fatal(err)
	}
	return dir
}

// What was written reads back as the same retriever: the adapter merged, in a network that computes in bf16 without
// loss of the checkpoint's fp32 weights, the end token in the tokenizer.
func TestFixtureExportReloads(t *testing.T) {
	base := fixture.Path(t, "tiny-llama", "retriever")
	n, half := loadNetwork(t, torch.Float32, "tiny-llama", "retriever"), loadNetwork(t, torch.BFloat16, "tiny-llama", "retriever")
	loadAdapter(t, n, "lora-steps-llama", "step-20", "retriever")
	loadAdapter(t, half, "lora-steps-llama", "step-20", "retriever")
	e := exportOf(t, n, base)
	dir := exported(t, e, eosSettings)
	e.Network = half
	if !bytes.Equal(read(t, exported(t, e, eosSettings), "model.safetensors"), read(t, dir, "model.safetensors")) {
		t.Error("a network in bf16 gives other weights")
	}
	again, err := Load(dir, Options{Compute: torch.Float32})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Free()
	fixture.Close(t, "hidden states", results(t, again), results(t, n), 1e-5)
	tok, err := LoadTokenizer(dir)
	if err != nil {
		t.Fatal(err)
	}
	r := Retriever{n, e.Tokenizer, eosSettings}
	for _, text := range []string{"a text", "", "a longer text that goes on and on, and on and on and on, and on and on, without an end in sight, on"} {
		if got, want := tok.EncodeMax("query: "+text, 48), r.Tokens(text, Query, 0); !slices.Equal(got, want) {
			t.Errorf("ids of %q are %v, want %v", text, got, want)
		}
	}
	found, ok, err := ReadSentenceConfig(dir)
	want := SentenceConfig{RetrieverSettings: eosSettings, Similarity: "cosine"}
	want.AppendEOS = false // the tokenizer's part
	if err != nil || !ok || found != want {
		t.Errorf("settings are %+v (%v, %v), want %+v", found, ok, err, want)
	}
}

func TestFixtureExportedFiles(t *testing.T) {
	n, base := loadNetwork(t, torch.Float32, "tiny-llama", "retriever"), fixture.Path(t, "tiny-llama", "retriever")
	e := exportOf(t, n, base)
	e.DType = checkpoint.BF16
	dir := exported(t, e, eosSettings)
	var before, after map[string]any
	fixture.ReadJSON(t, &before, "tiny-llama", "retriever", "config.json")
	if err := json.Unmarshal(read(t, dir, "config.json"), &after); err != nil {
		t.Fatal(err)
	}
	before["architectures"], before["dtype"], before["torch_dtype"] = []any{"LlamaModel"}, "bfloat16", "bfloat16"
	if !reflect.DeepEqual(after, before) {
		t.Errorf("config.json is\n%v\nwant\n%v", after, before)
	}
	w, err := checkpoint.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if info, ok := w.Info("layers.0.self_attn.q_proj.weight"); !ok || info.DType != checkpoint.BF16 {
		t.Errorf("q_proj is %v, %v; want it in BF16 under its bare name", info, ok)
	}
	if len(w.Names()) != len(AllParams(n)) {
		t.Errorf("%d tensors, want %d", len(w.Names()), len(AllParams(n)))
	}
	var tokenizerConfig struct {
		Inputs []string `json:"model_input_names"`
		PAD    string   `json:"pad_token"`
		EOS    string   `json:"eos_token"`
	}
	if err := json.Unmarshal(read(t, dir, "tokenizer_config.json"), &tokenizerConfig); err != nil {
		t.Fatal(err)
	}
	if c := tokenizerConfig; !slices.Equal(c.Inputs, []string{"input_ids", "attention_mask"}) || c.PAD == "" || c.PAD != c.EOS {
		t.Errorf("the tokenizer is set up as %+v", c)
	}
	if info, err := os.Stat(filepath.Join(dir, "2_Normalize")); err != nil || !info.IsDir() {
		t.Errorf("2_Normalize is no folder: %v", err)
	}
	if card := read(t, dir, "README.md"); !bytes.Contains(card, []byte("\nbase_model: org/base\n---\n")) ||
		!bytes.Contains(card, []byte("| longest text | 48 tokens |")) {
		t.Errorf("model card is\n%s", card)
	}
}

func TestFixtureExportOfLanguageModel(t *testing.T) {
	base := fixture.Path(t, "tiny-qwen2", "lm")
	lm := loadLM(t, "tiny-qwen2", "lm")
	loadAdapter(t, lm, "lora-steps-qwen2", "step-20", "lm")
	dir := filepath.Join(t.TempDir(), "lm")
	if err := ExportTransformers(dir, exportOf(t, lm, base)); err != nil {
		t.Fatal(err)
	}
	again, err := LoadLanguageModel(dir, Options{Compute: torch.Float32})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Free()
	fixture.Close(t, "logits", results(t, again), results(t, lm), 1e-5)
}

// The head of a language model that is not its embeddings is written.
func TestExportOfUntiedHead(t *testing.T) {
	c, err := checkpoint.ParseConfig("config.json", []byte(`{"model_type": "llama", "hidden_size": 8, "intermediate_size": 16,
		"num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 100, "tie_word_embeddings": false}`))
	if err != nil {
		t.Fatal(err)
	}
	lm, err := RandomLanguageModel(c, Options{Compute: torch.Float32})
	if err != nil {
		t.Fatal(err)
	}
	defer lm.Free()
	dir := filepath.Join(t.TempDir(), "lm")
	if err := ExportTransformers(dir, Export{Network: lm, Config: c}); err != nil {
		t.Fatal(err)
	}
	again, err := LoadLanguageModel(dir, Options{Compute: torch.Float32})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Free()
	fixture.Close(t, "logits", results(t, again), results(t, lm), 0)
}

func TestExportErrorsLeaveNothing(t *testing.T) {
	n, base := loadNetwork(t, torch.Float32, "tiny-llama", "retriever"), fixture.Path(t, "tiny-llama", "retriever")
	good := exportOf(t, n, base)
	bare, integers := good, good
	bare.Tokenizer, integers.DType = nil, checkpoint.I64
	max, first := eosSettings, eosSettings
	max.Pooling, first.MaxLength = "max", 0
	lone, err := tokenizer.Parse("lone", read(t, base, "tokenizer.json"), nil)
	if err != nil {
		t.Fatal(err)
	}
	unpadded, mean := good, eosSettings
	unpadded.Tokenizer, mean.Pooling, mean.AppendEOS = lone, PoolMean, false
	parent := t.TempDir()
	dir := filepath.Join(parent, "model")
	wantMessage(t, ExportSentence(dir, unpadded, mean),
		"export: the tokenizer has neither a padding token nor EOS; sentence-transformers needs one to pad with")
	wantMessage(t, ExportSentence(dir, bare, eosSettings), "export: a sentence-transformers folder needs a tokenizer")
	wantMessage(t, ExportSentence(dir, integers, eosSettings), "write "+dir+": weights as I64; F32, F16 or BF16 expected")
	wantMessage(t, ExportSentence(dir, good, max), `export: pooling "max" found; cls, mean or eos expected`)
	wantMessage(t, ExportSentence(dir, good, first), "export: greatest length of a text is 0; a positive integer expected")
	if left, _ := os.ReadDir(parent); len(left) != 0 {
		t.Errorf("%s was left behind", left[0].Name())
	}
}

func TestFixtureAverage(t *testing.T) {
	trained := loadNetwork(t, torch.Float32, "tiny-llama", "retriever")
	loadAdapter(t, trained, "lora-steps-llama", "step-20", "retriever")
	want := func() []Param {
		n := loadNetwork(t, torch.Float32, "tiny-llama", "retriever")
		loadAdapter(t, n, "lora-steps-llama", "step-20", "retriever")
		if err := MergeAdapter(n); err != nil {
			t.Fatal(err)
		}
		var list []Param
		for _, p := range AllParams(n) {
			list = append(list, *p)
		}
		return list
	}()
	source := AllParams(loadNetwork(t, torch.Float32, "tiny-llama", "retriever"))
	for _, a := range []float64{0, 0.25, 1} {
		start := loadNetwork(t, torch.Float32, "tiny-llama", "retriever")
		if err := Average(trained, start, a); err != nil {
			t.Fatal(err)
		}
		for i, p := range AllParams(start) {
			mean, old := fixture.Values(t, want[i].Value), fixture.Values(t, source[i].Value)
			for j := range mean {
				mean[j] = a*old[j] + (1-a)*mean[j]
			}
			if d := fixture.Difference(t, fixture.Values(t, p.Value), mean); d > 1e-7*fixture.Largest(mean) {
				t.Errorf("share %g: %s differs by %g", a, p.Name, d)
			}
		}
	}
	other, lm := loadNetwork(t, torch.Float32, "tiny-qwen2", "retriever"), loadLM(t, "tiny-llama", "lm")
	wantMessage(t, Average(trained, other, 0.5), "average weights: the two networks are not of the same shape")
	wantMessage(t, Average(trained, lm, 0.5), "average weights: the two networks are not of the same shape")
	wantMessage(t, Average(other, trained, 2), "average weights: share 2 of the start found, 0 to 1 expected")
	wantMessage(t, Average(trained, trained, 0.5),
		"average weights: layers.0.self_attn.q_proj.weight of the start has LoRA beside it; merged weights expected")
}
