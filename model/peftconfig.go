package model

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"revela/model/checkpoint"
)

// unused are the keys of adapter_config.json that change nothing here: notes, and settings of what is off.
var unused = []string{"peft_version", "task_type", "base_model_name_or_path", "revision", "auto_mapping", "inference_mode",
	"megatron_core", "qalora_group_size", "runtime_config", "layers_pattern"}

// readAdapterConfig reads adapter_config.json. Settings that it does not know must be off: null, false or empty.
func readAdapterConfig(b Network, path string) (LoRAOptions, error) {
	c, err := checkpoint.ReadSettings(path)
	if err != nil {
		return LoRAOptions{}, err
	}
	o := LoRAOptions{}
	expect(c, "peft_type", `"LORA"`)
	if c.Read("r", &o.Rank, "a positive integer"); o.Rank < 1 {
		c.Fail("r", "a positive integer")
	}
	if !c.Read("lora_alpha", &o.Alpha, "a number") {
		c.Fail("lora_alpha", "a number")
	}
	const share = "a number from 0 to below 1"
	if c.Read("lora_dropout", &o.Dropout, share); o.Dropout < 0 || o.Dropout >= 1 {
		c.Fail("lora_dropout", share)
	}
	expect(c, "bias", `"none"`, "null")
	expect(c, "init_lora_weights", "true", "false", `"gaussian"`, "null") // others, such as pissa, change the base weights
	o.Targets = readTargets(b, c)
	known := append([]string{"peft_type", "r", "lora_alpha", "lora_dropout", "bias", "init_lora_weights", "target_modules"}, unused...)
	for _, key := range c.Keys() {
		if !slices.Contains(known, key) && !slices.Contains([]string{"null", "false", "{}", "[]"}, compact(c, key)) {
			c.Fail(key, "none: revela does not support it")
		}
	}
	return o, c.Err()
}

// expect checks that a key's value is one of a few; a missing key is null.
func expect(c *checkpoint.Settings, key string, values ...string) {
	if !slices.Contains(values, compact(c, key)) {
		c.Fail(key, strings.Join(values, " or "))
	}
}

// compact is a key's value as JSON without white space.
func compact(c *checkpoint.Settings, key string) string {
	if !c.Has(key) {
		return "null"
	}
	return strings.Join(strings.Fields(string(c.Raw(key))), "")
}

// readTargets reads target_modules: a list, "all-linear" (nil), or a regular expression for whole names.
func readTargets(b Network, c *checkpoint.Settings) []string {
	const expected = `a list of names, "all-linear" or a regular expression`
	var pattern string
	if raw := c.Raw("target_modules"); len(raw) == 0 || raw[0] != '"' {
		targets := []string{}
		if !c.Read("target_modules", &targets, expected) || len(targets) == 0 {
			c.Fail("target_modules", expected)
		}
		return slices.DeleteFunc(targets, ofPooler)
	}
	c.Read("target_modules", &pattern, expected)
	if pattern == "all-linear" {
		return nil
	}
	whole, err := regexp.Compile("^(?:" + pattern + ")$")
	if err != nil {
		c.Fail("target_modules", fmt.Sprintf("a regular expression without look-around (%v)", err))
		return nil
	}
	targets := []string{}
	for _, l := range orderedLinears(b) {
		if whole.MatchString(l.name) || whole.MatchString("model."+l.name) {
			targets = append(targets, l.name)
		}
	}
	if len(targets) == 0 {
		c.Fail("target_modules", "an expression that some linear layer matches")
	}
	return targets
}

// adapterConfig has the fields that PEFT 0.13 writes, which later versions read as well.
func adapterConfig(b Network, base string, o LoRAOptions) map[string]any {
	task := "FEATURE_EXTRACTION"
	if _, ok := b.(*LanguageModel); ok {
		task = "CAUSAL_LM"
	}
	targets := slices.Sorted(slices.Values(o.Targets))
	if o.Targets == nil {
		targets = shortNames(orderedLinears(b))
	}
	none := map[string]any{}
	return map[string]any{
		"peft_type": "LORA", "task_type": task, "base_model_name_or_path": base, "revision": nil, "auto_mapping": nil,
		"r": o.Rank, "lora_alpha": o.Alpha, "lora_dropout": o.Dropout, "target_modules": targets, "bias": "none",
		"inference_mode": true, "init_lora_weights": true, "fan_in_fan_out": false, "use_dora": false, "use_rslora": false,
		"modules_to_save": nil, "layers_to_transform": nil, "layers_pattern": nil, "layer_replication": nil,
		"alpha_pattern": none, "rank_pattern": none, "loftq_config": none,
		"megatron_config": nil, "megatron_core": "megatron.core",
	}
}
