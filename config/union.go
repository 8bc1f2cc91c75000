package config

import (
	"reflect"
	"slices"

	"gopkg.in/yaml.v3"
)

// Freeze says which weights of a model do not learn.
type Freeze string

// The values of Freeze; in YAML they are false, true and embeddings.
const (
	FreezeNothing    Freeze = "false"
	FreezeAll        Freeze = "true"
	FreezeEmbeddings Freeze = "embeddings"
)

func (f *Freeze) decode(d *decoder, n *yaml.Node, key string) {
	if !isBool(n) && n.Value != string(FreezeEmbeddings) {
		d.found(n, key, f.expected())
		return
	}
	*f = Freeze(boolWord(n))
}

func (*Freeze) expected() string { return "true, false or embeddings" }

// MarshalYAML writes a boolean where the value is one.
func (f Freeze) MarshalYAML() (any, error) { return boolOrWord(string(f)), nil }

// Switch is a setting that the program can decide for itself.
type Switch string

// The values of Switch; in YAML they are auto, true and false.
const (
	Auto Switch = "auto"
	On   Switch = "true"
	Off  Switch = "false"
)

func (s *Switch) decode(d *decoder, n *yaml.Node, key string) {
	if !isBool(n) && n.Value != string(Auto) {
		d.found(n, key, s.expected())
		return
	}
	*s = Switch(boolWord(n))
}

func (*Switch) expected() string { return "auto, true or false" }

// MarshalYAML writes a boolean where the value is one.
func (s Switch) MarshalYAML() (any, error) { return boolOrWord(string(s)), nil }

// Lengths is a length in tokens for the retriever's queries and one for its passages.
type Lengths struct {
	Query   int `yaml:"query" is:"[1,)"`
	Passage int `yaml:"passage" is:"[1,)"`
}

func (l *Lengths) decode(d *decoder, n *yaml.Node, key string) {
	d.lengths(n, reflect.ValueOf(l).Elem(), key)
}

func (*Lengths) expected() string { return "a whole number of at least 1, or {query: N, passage: N}" }

// MarshalYAML writes one number where both lengths are the same.
func (l Lengths) MarshalYAML() (any, error) {
	type mapping Lengths
	if l.Query == l.Passage {
		return l.Query, nil
	}
	return mapping(l), nil
}

// TextLengths is a length in tokens, in the language model, for a group's queries and one for its texts.
type TextLengths struct {
	Query int `yaml:"query" is:"[2,)"`
	Text  int `yaml:"text" is:"[2,)"`
}

func (l *TextLengths) decode(d *decoder, n *yaml.Node, key string) {
	d.lengths(n, reflect.ValueOf(l).Elem(), key)
}

func (*TextLengths) expected() string { return "a whole number of at least 2, or {query: N, text: N}" }

// MarshalYAML writes one number where both lengths are the same.
func (l TextLengths) MarshalYAML() (any, error) {
	type mapping TextLengths
	if l.Query == l.Text {
		return l.Query, nil
	}
	return mapping(l), nil
}

// allLinear is PEFT's word for every linear layer except the head.
const allLinear = "all-linear"

// Targets names the linear layers that get an adapter: layer names, or the one word all-linear.
type Targets []string

// AllLinear reports whether every linear layer gets an adapter.
func (t Targets) AllLinear() bool { return slices.Equal(t, Targets{allLinear}) }

func (t *Targets) decode(d *decoder, n *yaml.Node, key string) {
	if n.Kind == yaml.ScalarNode && n.Value == allLinear {
		*t = Targets{allLinear}
		return
	}
	var names []string
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		d.found(n, key, t.expected())
		return
	}
	d.value(n, reflect.ValueOf(&names).Elem(), key, "")
	if slices.Contains(names, allLinear) {
		d.report(n, key, "found all-linear in a list, expected the word alone or names of layers")
	}
	*t = names
}

func (*Targets) expected() string { return "all-linear or a list of names of layers" }

// MarshalYAML writes the one word, or the list.
func (t Targets) MarshalYAML() (any, error) {
	if t.AllLinear() {
		return allLinear, nil
	}
	return []string(t), nil
}

func isBool(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!bool" }

// boolWord returns a scalar's text, booleans (which may be spelt True or TRUE) as true or false.
func boolWord(n *yaml.Node) string {
	var b bool
	if isBool(n) && n.Decode(&b) == nil {
		if b {
			return "true"
		}
		return "false"
	}
	return n.Value
}

func boolOrWord(s string) any {
	switch s {
	case "true":
		return true
	case "false":
		return false
	}
	return s
}
