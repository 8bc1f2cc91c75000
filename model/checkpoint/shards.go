package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// readIndex reads model.safetensors.index.json: the shard that holds each tensor.
func readIndex(path string) (shardOf map[string]string, err error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read index: %w", err)
	}
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(content, &index); err != nil {
		return nil, fmt.Errorf("read index %s:%d: %w", path, errorLine(content, err), err)
	}
	if len(index.WeightMap) == 0 {
		return nil, fmt.Errorf("read index %s: weight_map is missing or empty", path)
	}
	for name, shard := range index.WeightMap {
		if !filepath.IsLocal(shard) || strings.ContainsRune(shard, filepath.Separator) {
			return nil, fmt.Errorf("read index %s: tensor %s is in shard %q, expected a file name", path, name, shard)
		}
	}
	return index.WeightMap, nil
}

// errorLine returns the 1-based line of a JSON error.
func errorLine(content []byte, err error) int {
	offset := int64(0)
	var syntax *json.SyntaxError
	var typed *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &typed):
		offset = typed.Offset
	}
	return lineAt(content, offset)
}

func lineAt(content []byte, offset int64) int {
	return 1 + bytes.Count(content[:min(offset, int64(len(content)))], []byte("\n"))
}

// readSharded maps all shards that an index names. As in transformers every tensor of a shard counts, also one that
// the index forgot.
func readSharded(index string) (*Weights, error) {
	shardOf, err := readIndex(index)
	if err != nil {
		return nil, err
	}
	all := &Weights{entries: map[string]entry{}}
	if err := all.addShards(index, shardOf); err != nil {
		return nil, errors.Join(err, all.Close())
	}
	return all, nil
}

func (w *Weights) addShards(index string, shardOf map[string]string) error {
	shards := slices.Compact(slices.Sorted(maps.Values(shardOf)))
	for _, shard := range shards {
		path := filepath.Join(filepath.Dir(index), shard)
		if !exists(path) {
			return fmt.Errorf("read index %s: shard %s is missing", index, shard)
		}
		one, err := ReadSafetensors(path)
		if err != nil {
			return err
		}
		w.maps = append(w.maps, one.maps...)
		for name, e := range one.entries {
			if twin, ok := w.entries[name]; ok {
				return fmt.Errorf("read index %s: tensor %s is in two shards, %s and %s", index, name, filepath.Base(twin.tensor.File), shard)
			}
			w.entries[name] = e
		}
	}
	for _, name := range slices.Sorted(maps.Keys(shardOf)) {
		e, ok := w.entries[name]
		if !ok || filepath.Base(e.tensor.File) != shardOf[name] {
			return fmt.Errorf("read index %s: tensor %s is not in shard %s", index, name, shardOf[name])
		}
	}
	return nil
}
