package model

import (
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"revela/torch"
)

// LoRAOptions are the settings of the low-rank updates of a network.
type LoRAOptions struct {
	Rank    int
	Alpha   float64  // the update is scaled by Alpha / Rank
	Dropout float64  // of the update's input, in training
	Targets []string // linear layers by name or by the end of it after a dot, as in PEFT; nil for all
}

// AddLoRA puts low-rank updates beside the linear layers that o.Targets names. Their parameters learn and are named as
// in PEFT's files. A is drawn from kaiming_uniform(a=√5), that is uniform over ±1/√in, and depends on seed and the
// layer's name alone; B is zero, so that the network's results stay what they were (PEFT's reset_lora_parameters).
func AddLoRA(b Network, o LoRAOptions, seed uint64) error {
	if o.Rank < 1 {
		return fmt.Errorf("add LoRA: rank %d found, a positive integer expected", o.Rank)
	}
	layers, err := targeted(b, o.Targets)
	if err != nil {
		return fmt.Errorf("add LoRA: %w", err)
	}
	return attach(b, layers, o, func(s *torch.Scope, name string, shape []int64) torch.Tensor {
		if strings.HasSuffix(name, loraB) {
			return s.Zeros(torch.Float32, shape...)
		}
		return torch.From(s, uniform(seed, name, shape), shape...)
	})
}

// uniform draws from ±1/√in for a matrix [rank, in].
func uniform(seed uint64, name string, shape []int64) []float32 {
	h := fnv.New64a()
	h.Write([]byte(name))
	random := rand.New(rand.NewPCG(seed, h.Sum64()))
	bound := 1 / math.Sqrt(float64(shape[1]))
	values := make([]float32, shape[0]*shape[1])
	for i := range values {
		values[i] = float32(bound * (2*random.Float64() - 1))
	}
	return values
}

// attach gives every layer a LoRA whose values come from value, by PEFT's key; all of them, or after an error none.
func attach(b Network, layers []namedLinear, o LoRAOptions, value func(s *torch.Scope, name string, shape []int64) torch.Tensor) error {
	s := torch.NewScope()
	defer s.Close()
	made := make([]*LoRA, 0, len(layers))
	for _, l := range layers {
		if l.LoRA != nil {
			s.Fail(fmt.Errorf("layer %s has LoRA already", l.name))
		}
		shapeA, shapeB := l.loraShapes(o.Rank)
		param := func(part string, shape []int64) *Param {
			name := peftKey(b, l.name, part)
			return newParam(s, name, value(s, name, shape), l.Weight.compute)
		}
		made = append(made, &LoRA{A: param(loraA, shapeA), B: param(loraB, shapeB),
			Scale: o.Alpha / float64(o.Rank), Dropout: o.Dropout})
	}
	for i, l := range made {
		if s.Err() != nil {
			l.A.Free()
			l.B.Free()
		} else {
			layers[i].LoRA = l
		}
	}
	return s.Err()
}

// namedLinear is a linear layer with its name in Backbone.Linears.
type namedLinear struct {
	name string
	*Linear
}

// loraShapes returns the shapes of A [rank, in] and B [out, rank].
func (l namedLinear) loraShapes(rank int) (a, b []int64) {
	out, in := l.Weight.Shape[0], l.Weight.Shape[1]
	return []int64{int64(rank), in}, []int64{out, int64(rank)}
}

// inLayer is the name without the part that counts the layers: "self_attn.q_proj" of "layers.3.self_attn.q_proj".
func (l namedLinear) inLayer() string {
	parts := strings.Split(l.name, ".")
	for i, part := range parts {
		if part != "" && strings.Trim(part, "0123456789") == "" {
			return strings.Join(parts[i+1:], ".")
		}
	}
	return l.name
}

// orderedLinears lists a network's linear layers in the order of its parameters.
func orderedLinears(b Backbone) []namedLinear {
	linears := b.Linears()
	names := map[*Param]string{}
	for name, l := range linears {
		names[l.Weight] = name
	}
	ordered := make([]namedLinear, 0, len(linears))
	for _, p := range AllParams(b) {
		if name, ok := names[p]; ok {
			ordered = append(ordered, namedLinear{name, linears[name]})
		}
	}
	return ordered
}

// targeted lists the layers that targets name, all for nil (PEFT's check_target_module_exists).
func targeted(b Backbone, targets []string) ([]namedLinear, error) {
	all := orderedLinears(b)
	if targets == nil {
		return all, nil
	}
	var chosen []namedLinear
	met := map[string]bool{}
	for _, l := range all {
		hit := false
		for _, target := range targets {
			if l.name == target || strings.HasSuffix(l.name, "."+target) {
				hit, met[target] = true, true
			}
		}
		if hit {
			chosen = append(chosen, l)
		}
	}
	for _, target := range targets {
		if !met[target] {
			return nil, fmt.Errorf("target %q is no linear layer of this network; it has %s", target, strings.Join(shortNames(all), ", "))
		}
	}
	return chosen, nil
}

// shortNames names layers by the last part of their names, or where that is no name for one ("dense" in BERT), by the
// whole name within a layer; sorted, each once.
func shortNames(layers []namedLinear) []string {
	whole := map[string]map[string]bool{} // by the last part
	last := func(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }
	for _, l := range layers {
		name := l.inLayer()
		if whole[last(name)] == nil {
			whole[last(name)] = map[string]bool{}
		}
		whole[last(name)][name] = true
	}
	var names []string
	for short, full := range whole {
		if len(full) == 1 {
			names = append(names, short)
		} else {
			names = slices.AppendSeq(names, maps.Keys(full))
		}
	}
	slices.Sort(names)
	return names
}

// LoRAParams lists the parameters of all low-rank updates of a network, in its order.
func LoRAParams(b Backbone) []*Param {
	var list []*Param
	for _, l := range orderedLinears(b) {
		if l.LoRA != nil {
			list = append(list, l.LoRA.A, l.LoRA.B)
		}
	}
	return list
}
