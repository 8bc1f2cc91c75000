package tasks

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"revela/evaluate"
)

// Entries returns what a name stands for, to be opened one after the other: a folder in BEIR layout (of which split is
// read), else the tasks of a benchmark (see [Registry.Find]), each with its own split unless the opener says one. Nothing is
// read or fetched yet; a folder that lacks a file is an error.
func (o Opener) Entries(name, split string) ([]evaluate.Entry, error) {
	if isFolder(name) {
		entry, err := folderEntry(name, split)
		return []evaluate.Entry{entry}, err
	}
	registry, err := Load()
	if err != nil {
		return nil, err
	}
	found, err := registry.Find(name)
	if err != nil {
		return nil, fmt.Errorf("%q is neither a folder nor a benchmark or one of its tasks (revela tasks lists them)", name)
	}
	entries := make([]evaluate.Entry, len(found))
	for i, t := range found {
		entries[i] = evaluate.Entry{Name: CollectionName(t.Name), Place: "the task " + t.Name, Task: true,
			Open: func(ctx context.Context) (*evaluate.Collection, error) { return o.Open(ctx, registry, t) }}
	}
	return entries, nil
}

func folderEntry(dir, split string) (evaluate.Entry, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return evaluate.Entry{}, fmt.Errorf("open collection: %w", err)
	}
	if _, err := evaluate.Folder(dir, split); err != nil {
		return evaluate.Entry{}, fmt.Errorf("open collection: %w", err)
	}
	return evaluate.Entry{Name: filepath.Base(absolute), Place: dir,
		Open: func(context.Context) (*evaluate.Collection, error) { return evaluate.OpenCollection(dir, split) }}, nil
}

// Collections opens all that a name stands for, see [Opener.Entries]. Of a suite the mistakes of all tasks are reported.
func (o Opener) Collections(ctx context.Context, name, split string) ([]*evaluate.Collection, error) {
	entries, err := o.Entries(name, split)
	if err != nil {
		return nil, err
	}
	var collections []*evaluate.Collection
	problems, err := evaluate.OpenEach(ctx, entries, func(c *evaluate.Collection) error {
		collections = append(collections, c)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return collections, errors.Join(problems...)
}
