package model

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"revela/internal/atomicfile"
	"revela/model/checkpoint"
	"revela/torch"
)

// The files of a PEFT folder, and the names in them.
const (
	peftConfig  = "adapter_config.json"
	peftWeights = "adapter_model.safetensors"
	peftPrefix  = "base_model.model."
	loraA       = "lora_A.weight"
	loraB       = "lora_B.weight"
)

// peftKey is a tensor's name in PEFT's file: of a language model the layers lie below "model.", of a bare one not.
func peftKey(b Network, layer, part string) string {
	if _, ok := b.(*LanguageModel); ok {
		layer = "model." + layer
	}
	return peftPrefix + layer + "." + part
}

// LoadAdapter reads the PEFT folder dir into b and returns its settings. The parameters learn if learn is set; they are
// kept in fp32 either way. Missing, superfluous and misshapen tensors and whatever of
// PEFT is not supported are errors, after which b is as it was.
func LoadAdapter(b Network, dir string, learn bool) (LoRAOptions, error) {
	o, err := readAdapterConfig(b, filepath.Join(dir, peftConfig))
	if err != nil {
		return LoRAOptions{}, fmt.Errorf("load adapter: %w", err)
	}
	layers, err := targeted(b, o.Targets)
	if err != nil {
		return LoRAOptions{}, fmt.Errorf("load adapter: %s: target_modules: %w", filepath.Join(dir, peftConfig), err)
	}
	file, err := openAdapter(filepath.Join(dir, peftWeights))
	if err != nil {
		return LoRAOptions{}, fmt.Errorf("load adapter: %w", err)
	}
	defer file.weights.Close()
	if err := attach(b, layers, o, file.take); err != nil {
		return LoRAOptions{}, fmt.Errorf("load adapter: %w", err)
	}
	if err := file.leftOver(); err != nil {
		dropLoRA(layers)
		return LoRAOptions{}, fmt.Errorf("load adapter: %w", err)
	}
	if !learn {
		err = freezeLoRA(layers)
	}
	return o, err
}

func dropLoRA(layers []namedLinear) {
	for _, l := range layers {
		l.LoRA.A.Free()
		l.LoRA.B.Free()
		l.LoRA = nil
	}
}

func freezeLoRA(layers []namedLinear) error {
	var errs []error
	for _, l := range layers {
		for _, p := range []*Param{l.LoRA.A, l.LoRA.B} {
			p.wide = true
			errs = append(errs, p.Learn(false))
		}
	}
	return errors.Join(errs...)
}

// adapterFile is an open adapter_model.safetensors; names are kept with and without "model.", since adapters of bare
// networks and of those with a head differ in that alone.
type adapterFile struct {
	path    string
	weights *checkpoint.Weights
	names   map[string]string // the file's, by layer and part
	used    map[string]bool
}

func openAdapter(path string) (*adapterFile, error) {
	w, err := checkpoint.ReadSafetensors(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is missing (adapters of other formats, such as adapter_model.bin, are not read)", path)
	}
	if err != nil {
		return nil, err
	}
	f := &adapterFile{path, w, map[string]string{}, map[string]bool{}}
	for _, name := range w.Names() {
		f.names[bareKey(name)] = name
	}
	return f, nil
}

func bareKey(name string) string {
	return strings.TrimPrefix(strings.TrimPrefix(name, peftPrefix), "model.")
}

// take copies a tensor of the file.
func (f *adapterFile) take(s *torch.Scope, key string, shape []int64) torch.Tensor {
	name, ok := f.names[bareKey(key)]
	if !ok {
		s.Fail(fmt.Errorf("%s: tensor %s is missing; shape %v expected", f.path, key, shape))
		return torch.Tensor{}
	}
	f.used[name] = true
	t, _, err := f.weights.Tensor(name)
	if err == nil {
		err = t.CheckFinite()
	}
	dtype, known := fileTypes[t.DType]
	switch {
	case err != nil:
		s.Fail(err)
	case !slices.Equal(t.Shape, shape):
		s.Fail(fmt.Errorf("%s: tensor %s has shape %v; %v expected", f.path, name, t.Shape, shape))
	case !known:
		s.Fail(fmt.Errorf("%s: tensor %s has type %s; F32, F16, BF16 or F64 expected", f.path, name, t.DType))
	default:
		return s.FromBytes(t.Data, dtype, shape...)
	}
	return torch.Tensor{}
}

// leftOver reports tensors that no layer took. BERT's pooler, which no retriever uses, may have some.
func (f *adapterFile) leftOver() error {
	for _, name := range f.weights.Names() {
		if !f.used[name] && !ofPooler(bareKey(name)) {
			return fmt.Errorf("%s: tensor %s belongs to no layer that %s targets", f.path, name, peftConfig)
		}
	}
	return nil
}

func ofPooler(name string) bool { return strings.HasPrefix(name, "pooler.") }

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

// SaveAdapter writes the LoRA of b as a PEFT folder that appears complete or not at all. base is the checkpoint's name
// that PEFT will load the base weights from; o are the options that the LoRA was made with.
func SaveAdapter(b Network, dir, base string, o LoRAOptions) error {
	return SaveScaledAdapter(b, dir, base, o, 1)
}

// SaveScaledAdapter is SaveAdapter with lora_B multiplied by factor: 1 − a gives the average of start and trained
// weights with share a of the start (see [Average]), if the start had no adapter.
func SaveScaledAdapter(b Network, dir, base string, o LoRAOptions, factor float64) error {
	tensors, err := adapterTensors(b, o, factor)
	if err != nil {
		return fmt.Errorf("save adapter: %w", err)
	}
	config, err := settingsJSON(adapterConfig(b, base, o))
	if err != nil {
		return fmt.Errorf("save adapter: %w", err)
	}
	return atomicfile.Dir(dir, func(tmp string) error {
		if err := checkpoint.WriteSafetensors(filepath.Join(tmp, peftWeights), tensors, nil); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(tmp, peftConfig), config, 0o644)
	})
}

func adapterTensors(b Network, o LoRAOptions, factor float64) ([]checkpoint.Tensor, error) {
	s := torch.NewScope()
	defer s.Close()
	var tensors []checkpoint.Tensor
	take := func(name string, p *Param, factor float64) {
		value := s.Scale(s.To(s.Detach(p.Value), torch.Float32), factor)
		if s.Err() == nil {
			data, err := value.Bytes()
			s.Fail(err)
			tensors = append(tensors, checkpoint.Tensor{Name: name, DType: checkpoint.F32, Shape: p.Shape, Data: data})
		}
	}
	for _, l := range orderedLinears(b) {
		if l.LoRA == nil {
			continue
		}
		if rank := l.LoRA.A.Shape[0]; rank != int64(o.Rank) || l.LoRA.Scale != o.Alpha/float64(o.Rank) {
			return nil, fmt.Errorf("layer %s has rank %d and scale %g; rank %d and alpha %g given", l.name, rank, l.LoRA.Scale, o.Rank, o.Alpha)
		}
		take(peftKey(b, l.name, loraA), l.LoRA.A, 1)
		take(peftKey(b, l.name, loraB), l.LoRA.B, factor)
	}
	if len(tensors) == 0 {
		s.Fail(errors.New("no layer of the network has LoRA"))
	}
	return tensors, s.Err()
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
