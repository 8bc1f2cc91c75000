package encode

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"revela/evaluate"
)

// vectorsVersion changes when the program gives other vectors than before beyond the rounding of sums.
const vectorsVersion = 1

// Identity implements [evaluate.Identified]: JSON with the hash of the model's files, its adapters' and tokenizer's
// included, and every setting that decides vectors.
func (e *Encoder) Identity(kind evaluate.Kind) (string, error) {
	if e.hash == "" {
		var err error
		if e.hash, err = hashFolders(e.folders); err != nil {
			return "", fmt.Errorf("identify model: %w", err)
		}
	}
	settings := e.Settings()
	prompt := settings["query_prefix"]
	if kind == evaluate.Passage {
		prompt = settings["passage_prefix"]
	}
	delete(settings, "query_prefix")
	delete(settings, "passage_prefix")
	delete(settings, "adapter") // a name; its files are hashed
	settings["prompt"], settings["model"], settings["files"], settings["version"] = prompt, e.Model, e.hash, vectorsVersion
	identity, err := json.Marshal(settings) // keys in order
	return string(identity), err
}

// hashed are the endings of files that decide what a model computes.
var hashed = map[string]bool{".json": true, ".txt": true, ".safetensors": true, ".gguf": true, ".model": true}

// hashFolders hashes the files of folders, or a file that is named instead of one.
func hashFolders(folders []string) (string, error) {
	h := sha256.New()
	for _, folder := range folders {
		files, err := filesOf(folder)
		if err != nil {
			return "", err
		}
		for _, path := range files {
			if err := hashFile(h, path); err != nil {
				return "", err
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

// filesOf returns the files that count in the order of their names.
func filesOf(folder string) ([]string, error) {
	info, err := os.Stat(folder)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{folder}, nil
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, entry := range entries {
		if !entry.IsDir() && hashed[filepath.Ext(entry.Name())] {
			files = append(files, filepath.Join(folder, entry.Name()))
		}
	}
	return files, nil
}

func hashFile(h io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	fmt.Fprintf(h, "%s %d\n", filepath.Base(path), info.Size())
	_, err = io.Copy(h, f)
	return err
}
