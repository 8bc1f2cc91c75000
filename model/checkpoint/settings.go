package checkpoint

import (
	"fmt"
	"maps"
	"os"
	"slices"
)

// Settings are the members of a JSON file that lies beside the weights (adapter_config.json, 1_Pooling/config.json, …),
// read key by key, so that a wrong value can be named with its line. The first error sticks: later reads do nothing,
// and the caller looks at Err once.
type Settings struct{ object *object }

// ReadSettings reads a file that holds a JSON object. A file that is not there gives an fs.ErrNotExist.
func ReadSettings(path string) (*Settings, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	o, err := parseObject(path, "", content, 1)
	if err != nil {
		return nil, err
	}
	return &Settings{o}, nil
}

// Keys lists the file's keys, sorted.
func (s *Settings) Keys() []string { return slices.Sorted(maps.Keys(s.object.fields)) }

// Has reports whether a key is there with a value other than null.
func (s *Settings) Has(key string) bool { return s.object.has(key) }

// Raw returns a key's value as JSON, nil when the key is not there.
func (s *Settings) Raw(key string) []byte { return s.object.fields[key].raw }

// Read decodes a key into target and reports whether it did: not when the key is missing or null, nor after an error.
// expected says in words what the value should be, such as "a positive integer".
func (s *Settings) Read(key string, target any, expected string) bool {
	return s.object.read(key, target, expected)
}

// Fail records an error about a key: file, line, what was found and what was expected.
func (s *Settings) Fail(key, expected string) { s.object.fail(key, expected) }

// Err returns the first error.
func (s *Settings) Err() error { return s.object.err }
