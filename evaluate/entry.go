package evaluate

import "context"

// Entry is a collection that is opened when its turn comes, so that of many one is in memory at a time and the first
// result does not wait for the last collection to be fetched and read.
type Entry struct {
	Name  string // of its results
	Place string // where it lies, for messages
	Task  bool   // it is one of a benchmark, see [Collection.Task]
	Open  func(ctx context.Context) (*Collection, error)
}

// Opened makes entries of collections that are open.
func Opened(collections []*Collection) []Entry {
	entries := make([]Entry, len(collections))
	for i, c := range collections {
		entries[i] = Entry{Name: c.Name, Place: c.Place(), Task: c.Task != nil,
			Open: func(context.Context) (*Collection, error) { return c, nil }}
	}
	return entries
}
