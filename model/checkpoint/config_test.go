package checkpoint

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"revela/internal/testdata"
)

// minimal is the least that config.json must say.
const minimal = `"hidden_size":64,"intermediate_size":128,"num_hidden_layers":8,"num_attention_heads":8,"vocab_size":100`

func parse(t *testing.T, content string) *Config {
	t.Helper()
	c, err := ParseConfig("config.json", []byte(content))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFixtureConfigs(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(testdata.Fixtures(t), "backbones", "*", configFile))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no configurations: %v", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) {
			c, err := ReadConfig(filepath.Dir(path))
			if err != nil {
				t.Fatal(err)
			}
			var want map[string]any
			content, err := os.ReadFile(path)
			if err != nil || json.Unmarshal(content, &want) != nil || string(c.Raw) != string(content) {
				t.Fatalf("raw content differs from the file (%v)", err)
			}
			checkSizes(t, c, want)
		})
	}
}

// checkSizes compares the fields that every family has with the file's own values.
func checkSizes(t *testing.T, c *Config, want map[string]any) {
	number := func(absent float64, keys ...string) float64 {
		for _, key := range keys {
			if v, ok := want[key].(float64); ok {
				return v
			}
		}
		return absent
	}
	heads := number(0, "num_attention_heads", "n_heads")
	hidden := number(0, "hidden_size", "dim")
	got := []float64{float64(c.HiddenSize), float64(c.NumAttentionHeads), float64(c.NumHiddenLayers), float64(c.IntermediateSize),
		float64(c.VocabSize), float64(c.NumKeyValueHeads), float64(c.HeadDim), float64(c.MaxPositionEmbeddings),
		float64(len(c.LayerTypes)), float64(c.PadTokenID)}
	expected := []float64{hidden, heads, number(0, "num_hidden_layers", "n_layers"), number(0, "intermediate_size", "hidden_dim"),
		number(0, "vocab_size"), number(heads, "num_key_value_heads"), number(hidden/heads, "head_dim"),
		number(0, "max_position_embeddings"), number(0, "num_hidden_layers", "n_layers"), number(-1, "pad_token_id")}
	if !slices.Equal(got, expected) {
		t.Errorf("sizes %v, want %v", got, expected)
	}
	if tied, _ := want["tie_word_embeddings"].(bool); c.TieWordEmbeddings != tied {
		t.Errorf("tied %v, want %v", c.TieWordEmbeddings, tied)
	}
}

// The expected values are those of transformers 5.23's configuration classes given the same sizes.
func TestDefaultsAreTransformers(t *testing.T) {
	type values struct {
		kvHeads, headDim, positions, types int
		rmsEps, layerEps                   float64
		act                                string
		tied, bias                         bool
		theta, localTheta                  float64
		window                             int
		pad, bos                           int
		eos                                []int
	}
	full := values{8, 8, 512, 0, 1e-6, 1e-12, "gelu", true, false, 1e4, 1e4, 0, -1, -1, nil}
	with := func(change func(v *values)) values { v := full; change(&v); return v }
	cases := map[string]values{
		"llama":       {8, 8, 2048, 0, 1e-6, 1e-12, "silu", false, false, 1e4, 1e4, 0, -1, 1, []int{2}},
		"mistral":     {8, 8, 131072, 0, 1e-6, 1e-12, "silu", false, false, 1e4, 1e4, 4096, -1, 1, []int{2}},
		"bert":        with(func(v *values) { v.types, v.pad = 2, 0 }),
		"mpnet":       with(func(v *values) { v.pad, v.bos, v.eos = 1, 0, []int{2} }),
		"xlm-roberta": with(func(v *values) { v.types, v.pad, v.bos, v.eos = 2, 1, 0, []int{2} }),
		"modernbert": with(func(v *values) {
			v.positions, v.layerEps, v.theta, v.window = 8192, 1e-5, 160000, 128
			v.pad, v.bos, v.eos = 50283, 50281, []int{50282}
		}),
		"gemma3_text": {4, 256, 131072, 0, 1e-6, 1e-12, "gelu_pytorch_tanh", true, false, 1e6, 1e4, 4096, 0, 2, []int{1}},
		"gpt_neox":    {8, 8, 2048, 0, 1e-6, 1e-5, "gelu", false, true, 1e4, 1e4, 0, -1, 0, []int{2}},
	}
	for family, want := range cases {
		c := parse(t, `{"model_type":"`+family+`",`+minimal+`}`)
		got := values{c.NumKeyValueHeads, c.HeadDim, c.MaxPositionEmbeddings, c.TypeVocabSize, c.RMSNormEps, c.LayerNormEps, c.HiddenAct,
			c.TieWordEmbeddings, c.AttentionBias, c.RopeTheta, c.LocalRopeTheta, c.SlidingWindow, c.PadTokenID, c.BOSTokenID, c.EOSTokenID}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v\nwant %+v", family, got, want)
		}
	}
	qwen3 := parse(t, `{"model_type":"qwen3","num_key_value_heads":8,`+minimal+`}`)
	if qwen3.HeadDim != 128 || qwen3.MaxPositionEmbeddings != 32768 || qwen3.SlidingWindow != 0 {
		t.Errorf("qwen3: %+v", qwen3)
	}
	_, err := ParseConfig("config.json", []byte(`{"model_type":"qwen2",`+minimal+`}`)) // Qwen's default is 32 heads for keys and values
	wantError(t, err, "", "read config: config.json: num_key_value_heads is missing, expected a divisor of num_attention_heads 8")
	distil := parse(t, `{"model_type":"distilbert","dim":64,"hidden_dim":128,"n_layers":8,"n_heads":8,"vocab_size":100,"activation":"relu"}`)
	if distil.HiddenSize != 64 || distil.IntermediateSize != 128 || distil.PadTokenID != 0 || distil.HiddenAct != "relu" {
		t.Errorf("distilbert: %+v", distil)
	}
}

func TestSlidingWindows(t *testing.T) {
	cases := []struct{ config, types string }{ // f full, s sliding, a letter a layer; expected from transformers 5.23
		{`"model_type":"llama"`, "ffffffff 0"},
		{`"model_type":"mistral","sliding_window":6`, "ssssssss 6"},
		{`"model_type":"mistral","sliding_window":null`, "ffffffff 0"},
		{`"model_type":"qwen2","num_key_value_heads":8,"sliding_window":4,"max_window_layers":3`, "ffffffff 0"},
		{`"model_type":"qwen2","num_key_value_heads":8,"sliding_window":4,"max_window_layers":3,"use_sliding_window":true`, "fffsssss 4"},
		{`"model_type":"qwen2","num_key_value_heads":8,"use_sliding_window":true`, "ffffffff 0"},
		{`"model_type":"modernbert"`, "fssfssfs 128"},
		{`"model_type":"gemma3_text","sliding_window":5`, "sssssfss 5"},
		{`"model_type":"gemma3_text","sliding_window_pattern":2`, "sfsfsfsf 4096"},
	}
	for _, c := range cases {
		config := parse(t, "{"+c.config+","+minimal+"}")
		got := ""
		for layer, kind := range config.LayerTypes {
			got += kind[:1]
			if sliding := kind == SlidingAttention; sliding && config.Window(layer) != config.SlidingWindow || !sliding && config.Window(layer) != 0 {
				t.Errorf("%s: window of layer %d is %d", c.config, layer, config.Window(layer))
			}
		}
		if got = fmt.Sprint(got, " ", config.SlidingWindow); got != c.types {
			t.Errorf("%s: %s, want %s", c.config, got, c.types)
		}
	}
}

func TestRope(t *testing.T) {
	llama3 := `"factor":32.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":8192`
	want := RopeScaling{"llama3", 32, 1, 4, 8192}
	cases := map[string]struct {
		theta, local float64
		scaling      *RopeScaling
	}{
		`"rope_theta":500000.0,"rope_scaling":{"rope_type":"llama3",` + llama3 + `}`:                       {5e5, 5e5, &want},
		`"rope_theta":500000,"rope_scaling":{"type":"llama3",` + llama3 + `}`:                              {5e5, 5e5, &want},
		`"rope_parameters":{"rope_theta":500000.0,"rope_type":"llama3",` + llama3 + `}`:                    {5e5, 5e5, &want},
		`"rope_parameters":{"rope_theta":20000.0,"rope_type":"default"}`:                                   {2e4, 2e4, nil},
		`"rope_theta":20000.0,"rope_scaling":null`:                                                         {2e4, 2e4, nil},
		`"max_position_embeddings":4096,"rope_scaling":{"type":"linear","factor":2.5}`:                     {1e4, 1e4, &RopeScaling{Type: "linear", Factor: 2.5, OriginalMaxPositionEmbeddings: 4096}},
		`"rope_parameters":{"full_attention":{"rope_theta":1e6},"sliding_attention":{"rope_theta":20000}}`: {1e6, 2e4, nil},
		`"global_rope_theta":160000.0,"local_rope_theta":10000.0`:                                          {160000, 10000, nil},
	}
	for config, want := range cases {
		c := parse(t, `{"model_type":"llama",`+config+","+minimal+"}")
		if c.RopeTheta != want.theta || c.LocalRopeTheta != want.local || !reflect.DeepEqual(c.RopeScaling, want.scaling) {
			t.Errorf("%s: theta %v, local %v, scaling %+v", config, c.RopeTheta, c.LocalRopeTheta, c.RopeScaling)
		}
	}
}

func TestTokenIDs(t *testing.T) {
	for config, want := range map[string]string{
		`"eos_token_id":7`:            "1 [7] -1",
		`"eos_token_id":[7,8]`:        "1 [7 8] -1",
		`"eos_token_id":null`:         "1 [] -1",
		`"bos_token_id":null`:         "-1 [2] -1",
		`"pad_token_id":0`:            "1 [2] 0",
		`"pad_token_id":-1,"dtype":0`: "",
	} {
		c, err := ParseConfig("config.json", []byte(`{"model_type":"llama",`+config+","+minimal+"}"))
		if want == "" {
			if err == nil {
				t.Errorf("%s was accepted", config)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(c.BOSTokenID, c.EOSTokenID, c.PadTokenID); got != want {
			t.Errorf("%s: %s, want %s", config, got, want)
		}
	}
}

func TestBadConfigs(t *testing.T) {
	valid := map[string]string{
		"model_type": `"llama"`, "hidden_size": "64", "intermediate_size": "128", "num_hidden_layers": "2", "num_attention_heads": "8", "vocab_size": "100",
	}
	cases := []struct{ key, value, want string }{
		{"model_type", "", `DIR: model_type is missing, expected a model type such as "llama"`},
		{"model_type", "3", `DIR:4: model_type: found 3, expected a string`},
		{"hidden_size", "", "DIR: hidden_size is missing, expected a positive integer"},
		{"hidden_size", `"64"`, `DIR:2: hidden_size: found "64", expected a positive integer`},
		{"hidden_size", "-64", "DIR:2: hidden_size: found -64, expected a positive integer"},
		{"hidden_size", "63", "DIR:5: num_attention_heads: found 8, expected a divisor of the hidden size 63"},
		{"num_hidden_layers", "1e3", "DIR:6: num_hidden_layers: found 1e3, expected a positive integer"},
		{"num_hidden_layers", "2000000000", "DIR:6: num_hidden_layers: found 2000000000, expected at most 10000"},
		{"num_key_value_heads", "3", "DIR:7: num_key_value_heads: found 3, expected a divisor of num_attention_heads 8"},
		{"rms_norm_eps", "0", "DIR:7: rms_norm_eps: found 0, expected a positive number"},
		{"tie_word_embeddings", `"yes"`, `DIR:7: tie_word_embeddings: found "yes", expected true or false`},
		{"eos_token_id", `[1,"x"]`, `DIR:2: eos_token_id: found [1,"x"], expected a token id, a list of token ids, or null`},
		{"bos_token_id", `1.5`, `DIR:2: bos_token_id: found 1.5, expected a token id (an integer from 0) or null`},
		{"rope_scaling", `"linear"`, `DIR:7: rope_scaling: found "linear", expected an object`},
		{"rope_scaling", "{\n\n\"type\":\"linear\",\"factor\":\"2\"}", `DIR:9: rope_scaling.factor: found "2", expected a positive number`},
		{"rope_scaling", `{"type":"linear"}`, `DIR: rope_scaling.factor is missing, expected a number, since the rope type is "linear"`},
		{"rope_parameters", `{"rope_type":"llama3","factor":8.0,"low_freq_factor":4,"high_freq_factor":4,"original_max_position_embeddings":64}`,
			"DIR:7: rope_parameters.low_freq_factor: found 4, expected less than high_freq_factor 4"},
		{"layer_types", `["full_attention"]`, `DIR:4: layer_types: found ["full_attention"], expected 2 entries, one a layer`},
		{"layer_types", `["full_attention","linear_attention"]`,
			`DIR:4: layer_types: found ["full_attention","linear_attention"], expected only "full_attention" and "sliding_attention"`},
		{"layer_types", `["full_attention","sliding_attention"]`,
			`DIR:4: layer_types: found ["full_attention","sliding_attention"], expected no "sliding_attention", since no sliding window is set`},
		{"architectures", `"LlamaForCausalLM"`, `DIR:2: architectures: found "LlamaForCausalLM", expected a list of class names`},
	}
	for _, c := range cases {
		t.Run(c.key, func(t *testing.T) {
			values := maps.Clone(valid)
			values[c.key] = c.value
			var lines []string
			for _, key := range slices.Sorted(maps.Keys(values)) {
				if values[key] != "" {
					lines = append(lines, fmt.Sprintf("%q: %s", key, values[key]))
				}
			}
			path := file(t, t.TempDir(), configFile, []byte("{\n"+strings.Join(lines, ",\n")+"\n}\n"))
			_, err := ReadConfig(filepath.Dir(path))
			wantError(t, err, path, "read config: "+c.want)
		})
	}
}

func TestConfigThatIsNoJSON(t *testing.T) {
	for content, want := range map[string]string{
		"{\n\"hidden_size\": 1,\n}": "read config: DIR:3: not valid JSON: invalid character '}' looking for beginning of object key string",
		"":                          "read config: DIR:1: not valid JSON: unexpected end of JSON input",
		"[1,\n2]":                   "read config: DIR:1: found [1,2], expected a JSON object",
	} {
		path := file(t, t.TempDir(), configFile, []byte(content))
		_, err := ReadConfig(filepath.Dir(path))
		wantError(t, err, path, want)
	}
	dir := t.TempDir()
	_, err := ReadConfig(dir)
	wantError(t, err, dir, "read config: open DIR/config.json: no such file or directory")
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(`{"model_type":"qwen2","rope_scaling":{"type":"llama3","factor":8},"eos_token_id":[1,2],"layer_types":["full_attention"],` + minimal + `}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		c, err := ParseConfig("fuzz", content)
		if err == nil && (c.HeadDim < 1 || c.NumKeyValueHeads < 1 || len(c.LayerTypes) != c.NumHiddenLayers) {
			t.Errorf("%s gives %+v", content, c)
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("error of several lines: %v", err)
		}
	})
}
