package tasks

import (
	"context"
	"errors"
	"fmt"

	"revela/evaluate"
)

// Collections opens what a name stands for: a folder in BEIR layout (of which split is read), else the tasks of a benchmark
// (see [Registry.Find]), each with its own split unless the opener says one. Of a suite the mistakes of all tasks are
// reported.
func (o Opener) Collections(ctx context.Context, name, split string) ([]*evaluate.Collection, error) {
	if isFolder(name) {
		c, err := evaluate.OpenCollection(name, split)
		if err != nil {
			return nil, err
		}
		return []*evaluate.Collection{c}, nil
	}
	registry, err := Load()
	if err != nil {
		return nil, err
	}
	found, err := registry.Find(name)
	if err != nil {
		return nil, fmt.Errorf("%q is neither a folder nor a benchmark or one of its tasks (revela tasks lists them)", name)
	}
	var collections []*evaluate.Collection
	var problems []error
	for _, t := range found {
		c, err := o.Open(ctx, registry, t)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			problems = append(problems, err)
			continue
		}
		collections = append(collections, c)
	}
	return collections, errors.Join(problems...)
}
