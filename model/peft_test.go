package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"revela/internal/fixture"
	"revela/model/checkpoint"
	"revela/torch"
)

func TestFixtureAdapterRoundTrip(t *testing.T) {
	for _, family := range []string{"llama", "qwen2"} {
		for name, n := range map[string]Network{
			"retriever": loadNetwork(t, torch.BFloat16, "tiny-"+family, "retriever"),
			"lm":        loadLM(t, "tiny-"+family, "lm"),
		} {
			t.Run(family+" "+name, func(t *testing.T) { checkRoundTrip(t, n, "lora-steps-"+family, "step-20", name) })
		}
	}
}

func checkRoundTrip(t *testing.T, n Network, elem ...string) {
	o := loadAdapter(t, n, elem...)
	base, dir := "org/base", filepath.Join(t.TempDir(), "adapter")
	if err := SaveAdapter(n, dir, base, o); err != nil {
		t.Fatal(err)
	}
	from := fixture.Path(t, elem...)
	if want, got := read(t, from, peftWeights), read(t, dir, peftWeights); !bytes.Equal(got, want) {
		t.Errorf("%d bytes of weights differ from the %d read", len(got), len(want))
	}
	var got, want map[string]any
	if err := json.Unmarshal(read(t, dir, peftConfig), &got); err != nil {
		t.Fatal(err)
	}
	fixture.ReadJSON(t, &want, append(elem, peftConfig)...)
	want["base_model_name_or_path"] = base
	if strings.HasSuffix(from, "lm") {
		want["task_type"] = "CAUSAL_LM"
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("settings are\n%v\nwant\n%v", got, want)
	}
}

func read(t *testing.T, elem ...string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// Rank, alpha and dropout may be of any kind that PEFT writes; targets nil stand for all layers.
func TestAdapterOfAllLayersRoundTrip(t *testing.T) {
	n, again := loadNetwork(t, torch.Float32, "backbones", "bert"), loadNetwork(t, torch.Float32, "backbones", "bert")
	o := LoRAOptions{Rank: 3, Alpha: 1.5, Dropout: 0.1}
	if err := AddLoRA(n, o, 5); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "adapter")
	if err := SaveAdapter(n, dir, "base", o); err != nil {
		t.Fatal(err)
	}
	found, err := LoadAdapter(again, dir, true)
	if err != nil {
		t.Fatal(err)
	}
	o.Targets = []string{"attention.output.dense", "intermediate.dense", "key", "output.dense", "query", "value"}
	if !reflect.DeepEqual(found, o) {
		t.Errorf("options are %+v, want %+v", found, o)
	}
	for i, p := range LoRAParams(again) {
		fixture.Close(t, p.Name, fixture.Values(t, p.Value), fixture.Values(t, LoRAParams(n)[i].Value), 0)
	}
}

func TestFixtureScaledAdapter(t *testing.T) {
	n := loadNetwork(t, torch.Float32, "tiny-llama", "retriever")
	o := loadAdapter(t, n, "lora-steps-llama", "step-20", "retriever")
	dir := filepath.Join(t.TempDir(), "adapter")
	if err := SaveScaledAdapter(n, dir, "base", o, 0.25); err != nil {
		t.Fatal(err)
	}
	again := loadNetwork(t, torch.Float32, "tiny-llama", "retriever")
	if _, err := LoadAdapter(again, dir, true); err != nil {
		t.Fatal(err)
	}
	for i, p := range LoRAParams(again) {
		want, factor := fixture.Values(t, LoRAParams(n)[i].Value), 1.0
		if strings.HasSuffix(p.Name, loraB) {
			factor = 0.25
		}
		for j := range want {
			want[j] *= factor
		}
		fixture.Close(t, p.Name, fixture.Values(t, p.Value), want, 0)
	}
}

func TestSaveAdapterErrors(t *testing.T) {
	n, dir := loadNetwork(t, torch.Float32, "tiny-llama", "retriever"), filepath.Join(t.TempDir(), "adapter")
	wantMessage(t, SaveAdapter(n, dir, "base", LoRAOptions{Rank: 3, Alpha: 6}), "save adapter: no layer of the network has LoRA")
	if err := AddLoRA(n, LoRAOptions{Rank: 3, Alpha: 6}, 1); err != nil {
		t.Fatal(err)
	}
	wantMessage(t, SaveAdapter(n, dir, "base", LoRAOptions{Rank: 4, Alpha: 16}),
		"save adapter: layer layers.0.self_attn.q_proj has rank 3 and scale 2; rank 4 and alpha 16 given")
	if _, err := os.Stat(dir); err == nil {
		t.Error("a folder was written in spite of errors")
	}
}

// edited is a copy of an adapter's folder with a key of its settings, and its tensors, changed.
func edited(t *testing.T, key, value string, tensors func([]checkpoint.Tensor) []checkpoint.Tensor) string {
	t.Helper()
	from, dir := fixture.Path(t, "lora-steps-llama", "start", "retriever"), t.TempDir()
	config := map[string]json.RawMessage{}
	if err := json.Unmarshal(read(t, from, peftConfig), &config); err != nil {
		t.Fatal(err)
	}
	if config[key] = json.RawMessage(value); value == "" {
		delete(config, key)
	}
	content, err := settingsJSON(config)
	if err != nil {
		t.Fatal(err)
	}
	w, err := checkpoint.ReadSafetensors(filepath.Join(from, peftWeights))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	var list []checkpoint.Tensor
	for _, name := range w.Names() {
		x, _, err := w.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, x)
	}
	if tensors != nil {
		list = tensors(list)
	}
	if err := checkpoint.WriteSafetensors(filepath.Join(dir, peftWeights), list, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, peftConfig), content, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestAdapterSettingsErrors(t *testing.T) {
	const none = "none: revela does not support it"
	for _, c := range []struct{ key, value, want string }{
		{"peft_type", `"IA3"`, `:LINE: peft_type: found "IA3", expected "LORA"`},
		{"r", "0", ":LINE: r: found 0, expected a positive integer"},
		{"r", "", ": r is missing, expected a positive integer"},
		{"lora_alpha", `"x"`, `:LINE: lora_alpha: found "x", expected a number`},
		{"lora_dropout", "1", ":LINE: lora_dropout: found 1, expected a number from 0 to below 1"},
		{"bias", `"all"`, `:LINE: bias: found "all", expected "none" or null`},
		{"use_rslora", "true", ":LINE: use_rslora: found true, expected " + none},
		{"use_dora", "true", ":LINE: use_dora: found true, expected " + none},
		{"modules_to_save", `["embed_tokens"]`, `:LINE: modules_to_save: found ["embed_tokens"], expected ` + none},
		{"rank_pattern", `{"q_proj":4}`, `:LINE: rank_pattern: found {"q_proj":4}, expected ` + none},
		{"alpha_pattern", `{"q_proj":4}`, `:LINE: alpha_pattern: found {"q_proj":4}, expected ` + none},
		{"exclude_modules", `"x"`, `:LINE: exclude_modules: found "x", expected ` + none},
		{"init_lora_weights", `"pissa"`, `:LINE: init_lora_weights: found "pissa", expected true or false or "gaussian" or null`},
		{"target_modules", `[]`, `:LINE: target_modules: found [], expected a list of names, "all-linear" or a regular expression`},
		{"target_modules", `["q_proj","lm_head"]`, `: target_modules: target "lm_head" is no linear layer of this network; it has ` +
			"down_proj, gate_proj, k_proj, o_proj, q_proj, up_proj, v_proj"},
		{"target_modules", `".*conv"`, `:LINE: target_modules: found ".*conv", expected an expression that some linear layer matches`},
	} {
		n, dir := loadNetwork(t, torch.Float32, "tiny-llama", "retriever"), edited(t, c.key, c.value, nil)
		_, err := LoadAdapter(n, dir, true)
		before, _, _ := strings.Cut(string(read(t, dir, peftConfig)), `"`+c.key+`"`)
		want := strings.Replace(c.want, "LINE", strconv.Itoa(1+strings.Count(before, "\n")), 1)
		wantMessage(t, err, "load adapter: "+filepath.Join(dir, peftConfig)+want)
	}
}

func TestAdapterTargetsAsExpression(t *testing.T) {
	for _, value := range []string{`"all-linear"`, `"(model\\.)?layers\\.\\d+\\.(mlp|self_attn)\\.(up|down|gate|q|k|v|o)_proj"`} {
		n := loadNetwork(t, torch.Float32, "tiny-llama", "retriever")
		if _, err := LoadAdapter(n, edited(t, "target_modules", value, nil), true); err != nil {
			t.Error(err)
		}
	}
}

func TestAdapterWeightsErrors(t *testing.T) {
	type list = []checkpoint.Tensor
	const q = "base_model.model.layers.0.self_attn.q_proj.lora_A.weight"
	at := func(l list, name string) int {
		for i := range l {
			if l[i].Name == name {
				return i
			}
		}
		return -1
	}
	var settings struct {
		Rank int64 `json:"r"`
	}
	fixture.ReadJSON(t, &settings, "lora-steps-llama", "start", "retriever", peftConfig)
	width := loadNetwork(t, torch.Float32, "tiny-llama", "retriever").Width()
	shape, reversed := fmt.Sprint([]int64{settings.Rank, width}), fmt.Sprint([]int64{width, settings.Rank})
	for _, c := range []struct {
		change func(l list) list
		want   string
	}{
		{func(l list) list { i := at(l, q); return append(l[:i], l[i+1:]...) }, "tensor " + q + " is missing; shape " + shape + " expected"},
		{func(l list) list { slices.Reverse(l[at(l, q)].Shape); return l }, "tensor " + q + " has shape " + reversed + "; " + shape + " expected"},
		{func(l list) list {
			return append(l, checkpoint.Tensor{Name: "base_model.model.embed_tokens.lora_embedding_A", DType: checkpoint.U8, Shape: []int64{0}})
		}, "tensor base_model.model.embed_tokens.lora_embedding_A belongs to no layer that adapter_config.json targets"},
		{func(l list) list {
			i := at(l, q)
			l[i].Data = append([]byte{0, 0, 0xc0, 0x7f}, l[i].Data[4:]...)
			return l
		}, "tensor " + q + " holds NaN at index 0"},
		{func(l list) list { l[at(l, q)].DType = checkpoint.I32; return l }, "tensor " + q + " has type I32; F32, F16, BF16 or F64 expected"},
	} {
		n, dir := loadNetwork(t, torch.Float32, "tiny-llama", "retriever"), edited(t, "bias", `"none"`, c.change)
		_, err := LoadAdapter(n, dir, true)
		wantMessage(t, err, "load adapter: "+filepath.Join(dir, peftWeights)+": "+c.want)
		if len(LoRAParams(n)) != 0 {
			t.Error("the network has LoRA in spite of the error")
		}
	}
}

func TestAdapterFileMissing(t *testing.T) {
	n, dir := loadNetwork(t, torch.Float32, "tiny-llama", "retriever"), edited(t, "bias", `"none"`, nil)
	if err := os.Remove(filepath.Join(dir, peftWeights)); err != nil {
		t.Fatal(err)
	}
	_, err := LoadAdapter(n, dir, true)
	wantMessage(t, err, "load adapter: "+filepath.Join(dir, peftWeights)+
		" is missing (adapters of other formats, such as adapter_model.bin, are not read)")
}
