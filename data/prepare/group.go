package prepare

import (
	"maps"
	"slices"

	"revela/data/permute"
)

// documentsAtOnce is how many documents the paper's interleaving mixes.
const documentsAtOnce = 4

// grouper collects units into groups of neighbours and hands each to emit.
type grouper interface {
	add(u unit, emit func([]unit) error) error
	flush(emit func([]unit) error) error
}

func newGrouper(opt Options) (grouper, error) {
	size := opt.GroupSize
	if opt.Queries == Chunks {
		size /= 2 // a unit gives two texts
	}
	switch opt.GroupBy {
	case ByDocument:
		return &interleaver{size: size}, nil
	case BM25:
		return newNeighbours(opt, size)
	}
	return &collector{by: opt.GroupBy, size: size, seed: uint64(opt.Seed), units: map[string][]unit{}}, nil
}

// interleaver is the paper's grouping: the chunks d11, d21, …, dn1, d12, … of a few documents in a row,
// cut into groups. It holds n documents and less than a group.
type interleaver struct {
	size      int
	documents [][]unit // the last one is still growing
	pending   []unit   // interleaved, less than a group
}

func (i *interleaver) add(u unit, emit func([]unit) error) error {
	n := len(i.documents)
	if n > 0 && i.documents[n-1][0].document == u.document {
		i.documents[n-1] = append(i.documents[n-1], u)
		return nil
	}
	if n == documentsAtOnce {
		if err := i.interleave(emit); err != nil {
			return err
		}
	}
	i.documents = append(i.documents, []unit{u})
	return nil
}

// interleave moves the documents' units in turn to pending, and emits full groups.
func (i *interleaver) interleave(emit func([]unit) error) error {
	longest := 0
	for _, document := range i.documents {
		longest = max(longest, len(document))
	}
	for at := range longest {
		for _, document := range i.documents {
			if at >= len(document) {
				continue
			}
			i.pending = append(i.pending, document[at])
			if len(i.pending) == i.size {
				if err := emit(i.pending); err != nil {
					return err
				}
				i.pending = nil
			}
		}
	}
	i.documents = i.documents[:0]
	return nil
}

func (i *interleaver) flush(emit func([]unit) error) error {
	if err := i.interleave(emit); err != nil {
		return err
	}
	return emit(i.pending)
}

// collector groups units of one folder or package, or any. Units are shuffled by seed within their key; what is
// left over of a key forms groups with what is left over of the next ones. It holds all units until flush.
type collector struct {
	by    string
	size  int
	seed  uint64
	units map[string][]unit
}

func (c *collector) add(u unit, _ func([]unit) error) error {
	key := u.key(c.by)
	c.units[key] = append(c.units[key], u)
	return nil
}

func (c *collector) flush(emit func([]unit) error) error {
	var left []unit
	for _, key := range slices.Sorted(maps.Keys(c.units)) {
		units := c.units[key]
		permute.Shuffle(units, permute.Key(c.seed, uint64(hashPlace("order", key)*(1<<53))))
		whole := len(units) / c.size * c.size
		if err := emitAll(units[:whole], c.size, emit); err != nil {
			return err
		}
		left = append(left, units[whole:]...)
	}
	return emitAll(left, c.size, emit)
}

func emitAll(units []unit, size int, emit func([]unit) error) error {
	for group := range slices.Chunk(units, size) {
		if err := emit(group); err != nil {
			return err
		}
	}
	return nil
}

// groupLine is a line of a groups file; see package data.
type groupLine struct {
	Source string   `json:"src,omitempty"` // what all units share: the package, folder or document
	Query  []string `json:"query,omitempty"`
	Text   []string `json:"text"`
	IDs    []string `json:"ids"` // of the units, in order
}

// newGroupLine lays a group out as the options ask.
func newGroupLine(opt Options, group []unit) groupLine {
	line := groupLine{Source: group[0].key(opt.GroupBy)}
	for _, u := range group {
		if u.key(opt.GroupBy) != line.Source {
			line.Source = ""
			break
		}
	}
	for _, u := range group {
		line.IDs = append(line.IDs, u.id)
		switch opt.Queries {
		case NoQueries:
			line.Text = append(line.Text, u.wholeText())
		case Chunks:
			line.Text = append(line.Text, u.query, u.text)
		default:
			line.Query = append(line.Query, u.query)
			line.Text = append(line.Text, u.text)
		}
	}
	return line
}
