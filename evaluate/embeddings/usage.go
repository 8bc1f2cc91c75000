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
	ID       string    // the name of its folder
	Identity string    // as the encoder gave it
	Folder   string    // its path
	Files    int       // blocks of texts
	Bytes    int64     // of all files, what a killed program left half-written included
	Newest   time.Time // when the last block was written
}

// List returns what the store in dir holds, in the order of ids; nothing where it does not exist. Folders that no store
// wrote are left out.
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
			continue
		}
		kept := Kept{ID: folder.Name(), Identity: strings.TrimSpace(string(about)), Folder: path}
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
		if errors.Is(err, fs.ErrNotExist) {
			continue // of a program that writes beside us
		}
		if err != nil {
			return err
		}
		k.Bytes += info.Size()
		if filepath.Ext(file.Name()) != ".npy" {
			continue
		}
		k.Files++
		if info.ModTime().After(k.Newest) {
			k.Newest = info.ModTime()
		}
	}
	return nil
}

// Remove removes what is kept of an identity. A program that reads it goes on with what it has mapped.
func (k Kept) Remove() error {
	if err := os.RemoveAll(k.Folder); err != nil {
		return fmt.Errorf("remove embeddings: %w", err)
	}
	return nil
}
