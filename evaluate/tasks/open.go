package tasks

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"revela/evaluate"
	"revela/model/checkpoint"
)

// The protocols of an evaluation.
const (
	ProtocolClean = "clean" // a task's rules as its publisher has them today
	ProtocolPaper = "paper" // as the Revela paper measured: BRIGHT at the older revision, its excluded ids ignored
)

// Opener opens tasks.
type Opener struct {
	Resolver    *checkpoint.Resolver // of the hub; nil: the default
	Mirror      string               // a folder that is looked through before the hub; "": none
	Protocol    string
	Split       string // is read instead of a task's own; "": that
	Instruction string // stands before every query of a task that has a prompt, {prompt} replaced by it; "": none
}

// Open finds the files of a task, checks that they are those of the registry's revision, reads them and gives the
// collection the task's rules. What does not agree with the registry is an error.
func (o Opener) Open(ctx context.Context, r *Registry, t *Task) (*evaluate.Collection, error) {
	c, err := o.open(ctx, r, t)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.Name, err)
	}
	return c, nil
}

func (o Opener) open(ctx context.Context, r *Registry, t *Task) (*evaluate.Collection, error) {
	at, own := t.location(o.Protocol), t.Split
	if o.Split != "" && t.Layout == BEIR {
		other := *t
		t, other.Split = &other, o.Split
	}
	source, err := o.source(ctx, t, at)
	if err != nil {
		return nil, err
	}
	c, err := evaluate.OpenSource(CollectionName(t.Name), t.Split, source)
	if err != nil {
		return nil, err
	}
	if len(c.IDs) != t.Documents || len(c.Queries) != t.Queries && t.Split == own {
		return nil, fmt.Errorf("%s: %d documents and %d queries with judgements, expected %d and %d: the data is not that of %s at revision %s",
			source, len(c.IDs), len(c.Queries), t.Documents, t.Queries, at.Repository, at.Revision)
	}
	c.Task = &evaluate.Task{Name: t.Task, Revision: at.Revision, Subset: t.Subset, Languages: t.Languages, Published: r.PublishedScores(t.Name)}
	c.RemoveIdentical = t.RemoveIdentical
	c.Join, c.Strip = r.Join, true
	if o.Instruction != "" && t.Prompt != "" {
		c.QueryPrompt = strings.ReplaceAll(o.Instruction, "{prompt}", t.Prompt)
	}
	if o.Protocol == ProtocolPaper {
		c.Excluded = nil
	}
	return c, nil
}

// source finds the files in the mirror, else on the hub.
func (o Opener) source(ctx context.Context, t *Task, at Location) (evaluate.Source, error) {
	if o.Mirror != "" {
		source, found, err := t.mirrored(o.Mirror, at)
		if found || err != nil {
			return source, err
		}
	}
	resolver := o.Resolver
	if resolver == nil {
		resolver = &checkpoint.Resolver{}
	}
	dir, err := Download(ctx, resolver, t, at)
	if err != nil {
		return evaluate.Source{}, err
	}
	p, err := t.findIn(dir)
	if err != nil {
		return evaluate.Source{}, fmt.Errorf("%s: %w", dir, err)
	}
	for _, file := range p.all() {
		if err := checkpoint.VerifyFile(filepath.Join(dir, filepath.FromSlash(file))); err != nil {
			return evaluate.Source{}, err
		}
	}
	return p.source(dir), nil
}

// Download fetches the files of a task, and no others of its repository, into the hub's cache and returns their folder.
func Download(ctx context.Context, resolver *checkpoint.Resolver, t *Task, at Location) (dir string, err error) {
	choose := func(files []string, read func(string) (string, error)) ([]string, error) {
		p, err := t.find(files, read)
		if err != nil {
			return nil, err
		}
		return p.all(), nil
	}
	return resolver.DownloadFiles(ctx, at.Repository, checkpoint.DatasetRepo, at.Revision, choose)
}
