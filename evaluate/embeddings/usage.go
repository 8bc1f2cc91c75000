package embeddings

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Kept is what a store holds of one identity.
type Kept struct {
	Identity string    `json:"identity"` // as the encoder gave it
	Folder   string    `json:"folder"`
	Files    int       `json:"files"`
	Bytes    int64     `json:"bytes"`
	Newest   time.Time `json:"newest"` // when the last file was written
}

// List returns what the store in dir holds, nothing where it does not exist.
func List(dir string) ([]Kept, error) {
	folders, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list embeddings: %w", err)
	}
	var all []Kept
	for _, folder := range folders {
		path := filepath.Join(dir, folder.Name())
		about, err := os.ReadFile(filepath.Join(path, aboutFile))
		if err != nil {
			continue // not written by a store
		}
		kept := Kept{Identity: strings.TrimSpace(string(about)), Folder: path}
		if err := kept.count(); err != nil {
			return nil, fmt.Errorf("list embeddings: %w", err)
		}
		all = append(all, kept)
	}
	return all, nil
}

func (k *Kept) count() error {
	files, err := os.ReadDir(k.Folder)
	if err != nil {
		return err
	}
	for _, file := range files {
		info, err := file.Info()
		if errors.Is(err, fs.ErrNotExist) || filepath.Ext(file.Name()) != ".npy" {
			continue
		}
		if err != nil {
			return err
		}
		k.Files++
		k.Bytes += info.Size()
		if info.ModTime().After(k.Newest) {
			k.Newest = info.ModTime()
		}
	}
	return nil
}

// Clear removes what a store wrote below dir, and nothing else, and returns how many bytes that were.
func Clear(dir string) (bytes int64, err error) {
	all, err := List(dir)
	if err != nil {
		return 0, err
	}
	for _, kept := range all {
		if err := os.RemoveAll(kept.Folder); err != nil {
			return bytes, fmt.Errorf("clear embeddings: %w", err)
		}
		bytes += kept.Bytes
	}
	return bytes, nil
}
