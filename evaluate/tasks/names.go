package tasks

import (
	"fmt"
	"slices"
	"strings"

	"revela/evaluate"
)

// Find returns the tasks that a name stands for: those of a suite (beir), the parts of a group (beir/cqadupstack), or one
// task (beir/scifact). mteb's names of tasks are known as well (SciFact). Letters count alike in both cases. An unknown name
// is an [UnknownError].
func (r *Registry) Find(name string) ([]*Task, error) {
	for _, s := range r.Suites {
		if strings.EqualFold(s.Name, name) {
			return r.parts(s.Of)
		}
	}
	for _, g := range r.Groups {
		if strings.EqualFold(g.Name, name) || strings.EqualFold(g.Task, name) {
			return r.parts(g.Of)
		}
	}
	for i := range r.Tasks {
		if t := &r.Tasks[i]; strings.EqualFold(t.Name, name) || strings.EqualFold(t.Task, name) && t.Subset == "" {
			return []*Task{t}, nil
		}
	}
	return nil, &UnknownError{name}
}

// UnknownError is a name that the registry does not have.
type UnknownError struct{ Name string }

// Error implements error.
func (e *UnknownError) Error() string {
	return fmt.Sprintf("found %q, expected a suite or a task (revela tasks lists them)", e.Name)
}

func (r *Registry) parts(names []string) ([]*Task, error) {
	var all []*Task
	for _, name := range names {
		tasks, err := r.Find(name)
		if err != nil {
			return nil, err
		}
		all = append(all, tasks...)
	}
	return all, nil
}

// CollectionName is what results of a task, group or suite are called.
func CollectionName(name string) string { return strings.ReplaceAll(name, "/", "-") }

// Aggregates returns the groups and suites all of whose tasks are among the entries, in an order in which each comes
// after its parts. A suite is no task of mteb: its Task has no Name, only what was published.
func (r *Registry) Aggregates(entries []evaluate.Entry) []evaluate.Aggregate {
	var have []string
	for _, e := range entries {
		if e.Task {
			have = append(have, e.Name)
		}
	}
	var list []evaluate.Aggregate
	add := func(name string, of []string, task *evaluate.Task) {
		parts := make([]string, len(of))
		for i, part := range of {
			if parts[i] = CollectionName(part); !slices.Contains(have, parts[i]) {
				return
			}
		}
		have = append(have, CollectionName(name))
		list = append(list, evaluate.Aggregate{Name: CollectionName(name), Task: task, Parts: parts})
	}
	for _, g := range r.Groups {
		first, err := r.Find(g.Of[0])
		if err != nil {
			continue // check found all parts
		}
		add(g.Name, g.Of, &evaluate.Task{Name: g.Task, Revision: first[0].Revision, Published: r.PublishedScores(g.Name)})
	}
	for _, s := range r.Suites {
		add(s.Name, s.Of, &evaluate.Task{Published: r.PublishedScores(s.Name)})
	}
	return list
}
