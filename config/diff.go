package config

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"

	"gopkg.in/yaml.v3"
)

// YAML renders the whole configuration, all keys, resolved. Load reads it back to an equal one.
func (c *Config) YAML() ([]byte, error) {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(c); err != nil {
		return nil, fmt.Errorf("write configuration: %w", err)
	}
	if err := encoder.Close(); err != nil {
		return nil, fmt.Errorf("write configuration: %w", err)
	}
	return out.Bytes(), nil
}

// Get returns the value of a dotted key such as train.learning_rate, nil for a null; false where there is no such key.
func (c *Config) Get(key string) (any, bool) {
	v := reflect.ValueOf(c).Elem()
	for _, name := range strings.Split(key, ".") {
		if v.Kind() == reflect.Pointer && !v.IsNil() {
			v = v.Elem()
		}
		if v.Kind() != reflect.Struct {
			return nil, false
		}
		field, ok := fieldOf(v.Type(), name)
		if !ok {
			return nil, false
		}
		v = v.FieldByIndex(field.Index)
	}
	if v.Kind() == reflect.Pointer && v.IsNil() {
		return nil, true
	}
	return v.Interface(), true
}

// Difference is a key that two configurations do not agree on, with both values as YAML.
type Difference struct {
	Key  string
	A, B string
}

// Diff returns the keys that a and b do not agree on, in the order of the contract. Resume uses it to name
// what has changed since a checkpoint was written.
func Diff(a, b *Config) ([]Difference, error) {
	var differences []Difference
	err := diffSection(reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem(), "", &differences)
	return differences, err
}

func diffSection(a, b reflect.Value, prefix string, out *[]Difference) error {
	for i := range a.NumField() {
		name := a.Type().Field(i).Tag.Get("yaml")
		if name == "" {
			continue
		}
		if err := diffField(a.Field(i), b.Field(i), prefix+name, out); err != nil {
			return err
		}
	}
	return nil
}

func diffField(a, b reflect.Value, key string, out *[]Difference) error {
	if reflect.DeepEqual(a.Interface(), b.Interface()) {
		return nil
	}
	if a.Kind() == reflect.Pointer && !a.IsNil() && !b.IsNil() {
		return diffSection(a.Elem(), b.Elem(), key+".", out)
	}
	if _, isUnion := a.Addr().Interface().(union); a.Kind() == reflect.Struct && !isUnion {
		return diffSection(a, b, key+".", out)
	}
	left, err := flow(a)
	if err != nil {
		return fmt.Errorf("compare %s: %w", key, err)
	}
	right, err := flow(b)
	if err != nil {
		return fmt.Errorf("compare %s: %w", key, err)
	}
	*out = append(*out, Difference{Key: key, A: left, B: right})
	return nil
}

// flow renders a value as YAML on one line.
func flow(v reflect.Value) (string, error) {
	var n yaml.Node
	if err := n.Encode(v.Interface()); err != nil {
		return "", err
	}
	n.Style = yaml.FlowStyle
	text, err := yaml.Marshal(&n)
	return strings.TrimSpace(string(text)), err
}
