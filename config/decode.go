package config

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// decoder fills a Config from YAML nodes, strictly, and collects all that is wrong.
type decoder struct {
	file     string
	set      *place // the override that is being decoded; nil while the file is
	places   places
	problems Problems
}

// union is a type that reads more than one kind of YAML value.
type union interface {
	decode(d *decoder, n *yaml.Node, key string)
	expected() string
}

// at is the place of a node: its line of the file, or the override.
func (d *decoder) at(n *yaml.Node) place {
	if d.set != nil {
		return *d.set
	}
	return place{file: d.file, line: n.Line}
}

func (d *decoder) report(n *yaml.Node, key, format string, args ...any) {
	d.problems = append(d.problems, Problem{at: d.at(n), key: key, what: fmt.Sprintf(format, args...)})
}

// found reports a value that is not what was expected.
func (d *decoder) found(n *yaml.Node, key, expected string) {
	d.report(n, key, "found %s, expected %s", describe(n), expected)
}

// followed returns the node that an alias stands for.
func followed(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// describe names what a node holds as a reader of the file sees it.
func describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode && len(n.Content) == 0:
		return "an empty list"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!null":
		return "null"
	case n.Tag == "!!str":
		return strconv.Quote(n.Value)
	}
	return n.Value
}

// mapping decodes the keys of a section into the fields of a struct.
func (d *decoder) mapping(n *yaml.Node, v reflect.Value, prefix string) {
	if n.Kind != yaml.MappingNode {
		d.found(n, strings.TrimSuffix(prefix, "."), "a mapping of "+list(keysOf(v.Type()), "and"))
		return
	}
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		key := prefix + name.Value
		field, ok := fieldOf(v.Type(), name.Value)
		if !ok {
			d.unknown(name, v.Type(), prefix)
			continue
		}
		if first, again := lines[key]; again {
			d.report(name, key, "found the key again, expected it once (line %d has it)", first)
			continue
		}
		lines[key] = name.Line
		d.places[key] = d.at(name)
		d.field(value, v.FieldByIndex(field.Index), key, field)
	}
}

func (d *decoder) unknown(name *yaml.Node, section reflect.Type, prefix string) {
	keys := keysOf(section)
	if near := hint(name.Value, keys, prefix); near != "" {
		d.report(name, prefix+name.Value, "found an unknown key, expected one of the contract%s", near)
		return
	}
	d.report(name, prefix+name.Value, "found an unknown key, expected one of %s", strings.Join(keys, ", "))
}

// field decodes one value by the field's type and tags.
func (d *decoder) field(n *yaml.Node, v reflect.Value, key string, field reflect.StructField) {
	n = followed(n)
	if _, nullable := field.Tag.Lookup("null"); nullable && n.Tag == "!!null" {
		v.SetZero()
		return
	}
	d.value(n, v, key, field.Tag.Get("is"))
}

// value decodes a node that is not an allowed null; is is the rule of the field's tag.
func (d *decoder) value(n *yaml.Node, v reflect.Value, key, is string) {
	if u, ok := v.Addr().Interface().(union); ok {
		u.decode(d, n, key)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.mapping(n, v, key+".")
	case reflect.Pointer: // *LoRA is the only one
		if v.IsNil() {
			v.Set(reflect.ValueOf(defaultLoRA()))
		}
		d.mapping(n, v.Elem(), key+".")
	case reflect.Slice:
		d.strings(n, v, key)
	case reflect.String:
		d.text(n, v, key, is)
	case reflect.Bool:
		d.boolean(n, v, key)
	default:
		d.number(n, v, key, is)
	}
}

func (d *decoder) strings(n *yaml.Node, v reflect.Value, key string) {
	if n.Kind != yaml.SequenceNode {
		d.found(n, key, "a list of texts")
		return
	}
	items := make([]string, 0, len(n.Content))
	for i, item := range n.Content {
		item = followed(item)
		name := fmt.Sprintf("%s[%d]", key, i)
		d.places[name] = d.at(item)
		switch {
		case item.Kind != yaml.ScalarNode || item.Tag != "!!str":
			d.found(item, name, "a text")
		case item.Value == "":
			d.found(item, name, "a text that is not empty")
		default:
			items = append(items, item.Value)
		}
	}
	v.Set(reflect.ValueOf(items))
}

func (d *decoder) text(n *yaml.Node, v reflect.Value, key, is string) {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!str" {
		expected := "a text"
		if strings.Contains(is, "|") {
			expected = list(strings.Split(is, "|"), "or")
		}
		d.found(n, key, expected)
		return
	}
	if expected := stringRule(is, n.Value); expected != "" {
		d.found(n, key, expected)
		return
	}
	v.SetString(n.Value)
}

func (d *decoder) boolean(n *yaml.Node, v reflect.Value, key string) {
	if !isBool(n) {
		d.found(n, key, "true or false")
		return
	}
	v.SetBool(boolWord(n) == "true")
}

// number decodes whole numbers and floats; a float field takes both.
func (d *decoder) number(n *yaml.Node, v reflect.Value, key, is string) {
	in, err := parseInterval(is)
	if err != nil {
		d.report(n, key, "%v", err)
		return
	}
	whole := v.CanInt()
	noun := map[bool]string{true: "a whole number", false: "a number"}[whole]
	var x float64
	isNumber := n.Kind == yaml.ScalarNode && (n.Tag == "!!int" || (n.Tag == "!!float" && !whole))
	if !isNumber || n.Decode(&x) != nil || math.IsNaN(x) || math.IsInf(x, 0) || !in.contains(x) {
		d.found(n, key, noun+in.String())
		return
	}
	if !whole {
		v.SetFloat(x)
		return
	}
	var i int64
	if n.Decode(&i) != nil || v.OverflowInt(i) {
		d.found(n, key, "a whole number below 2^63")
		return
	}
	v.SetInt(i)
}

// lengths decodes one number for all fields of v, or a mapping that names each of them.
func (d *decoder) lengths(n *yaml.Node, v reflect.Value, key string) {
	if n.Kind == yaml.MappingNode {
		before := len(d.problems)
		d.mapping(n, v, key+".")
		for _, name := range keysOf(v.Type()) {
			if !hasKey(n, name) && len(d.problems) == before {
				d.report(n, key, "found no %s, expected %s", name, v.Addr().Interface().(union).expected())
			}
		}
		return
	}
	if n.Tag != "!!int" {
		d.found(n, key, v.Addr().Interface().(union).expected())
		return
	}
	for i := range v.NumField() {
		before := len(d.problems)
		if d.number(n, v.Field(i), key, v.Type().Field(i).Tag.Get("is")); len(d.problems) > before {
			return
		}
	}
}

func hasKey(mapping *yaml.Node, name string) bool {
	for i := 0; i < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			return true
		}
	}
	return false
}

// keysOf returns the YAML keys of a section in order.
func keysOf(section reflect.Type) []string {
	var keys []string
	for i := range section.NumField() {
		if key := section.Field(i).Tag.Get("yaml"); key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

// fieldOf finds the field of a YAML key.
func fieldOf(section reflect.Type, key string) (reflect.StructField, bool) {
	for i := range section.NumField() {
		if field := section.Field(i); key != "" && field.Tag.Get("yaml") == key {
			return field, true
		}
	}
	return reflect.StructField{}, false
}
