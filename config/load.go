package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

// Load reads the configuration file at path and applies the overrides ("key=value") to it.
// With an empty path only defaults and overrides count, and no key is required. All mistakes come back at
// once as [Problems]. Nulls are resolved: a field holds the value that its null stands for.
func Load(path string, sets []string) (*Config, error) {
	return LoadWith(path, Sets(sets))
}

// Override changes one key after the file has been read.
type Override struct {
	Key   string // train.learning_rate
	Value string // YAML; for a text it may stand as it is
	Given string // how the user gave it, for messages: --set train.learning_rate=5e-5
}

// Sets turns the values of --set, "key=value", into overrides. One without = keeps an empty key, which
// loading reports.
func Sets(sets []string) []Override {
	overrides := make([]Override, len(sets))
	for i, set := range sets {
		key, value, ok := strings.Cut(set, "=")
		if !ok {
			key, value = "", set
		}
		overrides[i] = Override{Key: key, Value: value, Given: "--set " + set}
	}
	return overrides
}

// LoadWith is Load with overrides that come from elsewhere as well, such as a command's own flags.
func LoadWith(path string, overrides []Override) (*Config, error) {
	if path == "" {
		return parse("", nil, overrides)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return parse(path, content, overrides)
}

// Parse is Load for content that is at hand; name stands for the file in messages, empty for none.
func Parse(name string, content []byte, sets []string) (*Config, error) {
	return parse(name, content, Sets(sets))
}

func parse(name string, content []byte, overrides []Override) (*Config, error) {
	d := &decoder{file: name, places: places{}}
	c := defaults()
	readable := d.document(content, c)
	for _, override := range overrides {
		d.override(override, c)
	}
	c.places = d.places
	v := &validator{decoder: d, Config: c, required: name != "" && readable}
	v.validate()
	if err := d.problems.err(); err != nil {
		return nil, err
	}
	c.resolve()
	return c, nil
}

// At says where a key was set, "file.yaml:LINE" or "--set key=value", for messages of the packages that use
// the value; the key itself where it holds its default.
func (c *Config) At(key string) string {
	if at, ok := c.places[key]; ok {
		return at.String()
	}
	return key
}

// document decodes the one YAML document of a file and reports whether it could be read as one.
func (d *decoder) document(content []byte, c *Config) bool {
	stream := yaml.NewDecoder(bytes.NewReader(content))
	var root, more yaml.Node
	err := stream.Decode(&root)
	if errors.Is(err, io.EOF) {
		return true
	}
	if err != nil {
		d.syntax(err)
		return false
	}
	if err := stream.Decode(&more); err == nil {
		d.report(&more, "", "found a second document, expected one")
	} else if !errors.Is(err, io.EOF) {
		d.syntax(err)
	}
	top := root.Content[0]
	if top.Tag == "!!null" {
		return true
	}
	d.mapping(top, reflect.ValueOf(c).Elem(), "")
	return top.Kind == yaml.MappingNode
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// syntax reports text that is not YAML; the library puts the line into its message.
func (d *decoder) syntax(err error) {
	what, line := err.Error(), 1
	if match := yamlLine.FindStringSubmatch(strings.ReplaceAll(what, "\n", " ")); match != nil {
		what = match[2]
		if _, err := fmt.Sscan(match[1], &line); err != nil {
			line = 1
		}
	}
	d.report(&yaml.Node{Line: line}, "", "found text that is not YAML (%s), expected a mapping", what)
}

// override applies one override.
func (d *decoder) override(o Override, c *Config) {
	d.set = &place{given: o.Given, key: o.Key}
	defer func() { d.set = nil }()
	if o.Key == "" {
		d.report(nil, "", "found no key, expected key=value")
		return
	}
	v, field, ok := d.walk(o.Key, reflect.ValueOf(c).Elem())
	if !ok {
		return
	}
	n, err := overrideNode(o.Value, v.Type() == reflect.TypeFor[string]())
	if err != nil {
		d.report(nil, "", "found text that is not YAML (%s), expected a value", strings.TrimPrefix(err.Error(), "yaml: "))
		return
	}
	d.places[o.Key] = *d.set
	d.field(n, v, o.Key, field)
}

// walk goes down to the field of a dotted key; a null adapter on the way starts from its defaults.
func (d *decoder) walk(key string, v reflect.Value) (reflect.Value, reflect.StructField, bool) {
	var field reflect.StructField
	prefix := ""
	for _, name := range strings.Split(key, ".") {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				v.Set(reflect.ValueOf(defaultLoRA()))
			}
			v = v.Elem()
		}
		found := false
		if v.Kind() == reflect.Struct {
			field, found = fieldOf(v.Type(), name)
		}
		if !found {
			d.unknownOverride(key, prefix, name, v)
			return v, field, false
		}
		v = v.FieldByIndex(field.Index)
		prefix += name + "."
	}
	return v, field, true
}

func (d *decoder) unknownOverride(key, prefix, name string, v reflect.Value) {
	if v.Kind() != reflect.Struct {
		d.report(nil, key, "found an unknown key, expected %s without keys below it", strings.TrimSuffix(prefix, "."))
		return
	}
	keys := keysOf(v.Type())
	if near := hint(name, keys, prefix); near != "" {
		d.report(nil, key, "found an unknown key, expected one of the contract%s", near)
		return
	}
	d.report(nil, key, "found an unknown key, expected %sKEY with KEY one of %s", prefix, strings.Join(keys, ", "))
}

// overrideNode reads the value of an override. A text needs no quotes; where it has them, they go.
func overrideNode(value string, text bool) (*yaml.Node, error) {
	plain := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
	var root yaml.Node
	err := yaml.Unmarshal([]byte(value), &root)
	if text {
		quoted := err == nil && root.Kind != 0 && root.Content[0].Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0
		if quoted {
			return root.Content[0], nil
		}
		return plain, nil
	}
	if err != nil {
		return nil, err
	}
	if root.Kind == 0 { // nothing at all
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}, nil
	}
	return root.Content[0], nil
}
