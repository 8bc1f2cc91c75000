package train

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"

	"revela/torch"
)

// record says what a run is: its configuration and the files that it was started from.
type record struct {
	yaml   []byte // config.yaml
	sha256 string // of yaml
	inputs []input
}

// newRecord renders config.yaml, which can be given to --config again: versions and hashes are comments in it.
func newRecord(in *inputs, version string) (record, error) {
	content, err := in.config.YAML()
	if err != nil {
		return record{}, err
	}
	files, err := hashInputs(in)
	if err != nil {
		return record{}, err
	}
	var b bytes.Buffer
	b.Write(content)
	fmt.Fprintf(&b, "\n# Written by revela %s, gotch %s, libtorch %s (%s). Inputs, with their SHA-256:\n", version, gotchVersion(),
		torch.Version, torch.CPUCapability())
	for _, f := range files {
		fmt.Fprintf(&b, "# %s  %s\n", f.SHA256, f.Path)
	}
	sum := sha256.Sum256(b.Bytes())
	return record{yaml: b.Bytes(), sha256: hex.EncodeToString(sum[:]), inputs: files}, nil
}

// gotchVersion is that of the module in this build.
func gotchVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == "github.com/sugarme/gotch" {
				return module.Version
			}
		}
	}
	return "unknown"
}

// hashInputs lists the groups files and the files of the models and adapters, each once.
func hashInputs(in *inputs) ([]input, error) {
	var files []input
	for _, f := range in.groups.Files() {
		files = append(files, input{Path: f.Path, SHA256: f.SHA256})
	}
	dirs := []string{in.retriever.dir, in.retriever.adapter}
	if in.lm != nil {
		dirs = append(dirs, in.lm.dir, in.lm.adapter)
	}
	slices.Sort(dirs)
	for _, dir := range slices.Compact(dirs) {
		paths, err := modelFiles(dir)
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			sum, err := hashFile(path)
			if err != nil {
				return nil, err
			}
			files = append(files, input{Path: path, SHA256: sum})
		}
	}
	return files, nil
}

// modelFiles lists the files of a model's folder that decide what it computes; dir may also be a GGUF file, or "".
func modelFiles(dir string) ([]string, error) {
	if filepath.Ext(dir) == ".gguf" || dir == "" {
		return slices.DeleteFunc([]string{dir}, func(path string) bool { return path == "" }), nil
	}
	var paths []string
	for _, pattern := range []string{"*.safetensors", "*.gguf", "*config.json", "tokenizer.json", "vocab.*", "merges.txt"} {
		found, err := filepath.Glob(filepath.Join(escapeGlob(dir), pattern))
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", dir, err)
		}
		paths = append(paths, found...)
	}
	slices.Sort(paths)
	return paths, nil
}

// escapeGlob makes a folder's name stand for itself in a pattern.
func escapeGlob(dir string) string {
	var b bytes.Buffer
	for _, r := range dir {
		if slices.Contains([]rune(`*?[\`), r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func hashFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("hash input: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("hash input %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
