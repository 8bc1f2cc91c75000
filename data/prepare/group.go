package prepare

import (
	"context"
	"maps"
	"slices"

	"revela/data/permute"
)

// documentsAtOnce is how many documents the paper's interleaving mixes.
const documentsAtOnce = 4

// grouping collects units into groups of neighbours and hands each to emit. Units are known by number: how many were
// added before; no unit is kept.
type grouping interface {
	add(u unit, emit func(group []int) error) error
	flush(ctx context.Context, emit func(group []int) error) error
}

// newGrouping returns the grouping that the options ask for. at returns an added unit; report is told of progress after all
// are added.
func newGrouping(opt Options, at func(number int) (unit, error), report func(done, total int)) (grouping, error) {
	size := opt.GroupSize
	if opt.Queries == Chunks {
		size /= 2 // a unit gives two texts
	}
	switch opt.GroupBy {
	case ByDocument:
		return &interleaver{size: size}, nil
	case BM25:
		return newNeighbours(opt, size, at, report)
	}
	return &collector{by: opt.GroupBy, size: size, seed: uint64(opt.Seed), numbers: map[string][]int32{}}, nil
}

// interleaver is the paper's grouping: the chunks d11, d21, …, dn1, d12, … of a few documents in a row,
// cut into groups. It holds the numbers of n documents' units and of less than a group.
type interleaver struct {
	size      int
	added     int
	document  string // of the units that came last
	documents [][]int
	pending   []int // interleaved, less than a group
}

func (i *interleaver) add(u unit, emit func([]int) error) error {
	number, n := i.added, len(i.documents)
	i.added++
	if n > 0 && i.document == u.document {
		i.documents[n-1] = append(i.documents[n-1], number)
		return nil
	}
	if n == documentsAtOnce {
		if err := i.interleave(emit); err != nil {
			return err
		}
	}
	i.document = u.document
	i.documents = append(i.documents, []int{number})
	return nil
}

// interleave moves the documents' units in turn to pending, and emits full groups.
func (i *interleaver) interleave(emit func([]int) error) error {
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

func (i *interleaver) flush(_ context.Context, emit func([]int) error) error {
	if err := i.interleave(emit); err != nil {
		return err
	}
	return emit(i.pending)
}

// collector groups units of one folder or package, or any. Units are shuffled by seed within their key; what is
// left over of a key forms groups with what is left over of the next ones. It holds 4 bytes a unit, and the keys.
type collector struct {
	by      string
	size    int
	seed    uint64
	added   int32
	numbers map[string][]int32
}

func (c *collector) add(u unit, _ func([]int) error) error {
	key := u.key(c.by)
	c.numbers[key] = append(c.numbers[key], c.added)
	c.added++
	return nil
}

func (c *collector) flush(_ context.Context, emit func([]int) error) error {
	var left []int32
	for _, key := range slices.Sorted(maps.Keys(c.numbers)) {
		numbers := c.numbers[key]
		permute.Shuffle(numbers, permute.Key(c.seed, uint64(hashPlace("order", key)*(1<<53))))
		whole := len(numbers) / c.size * c.size
		if err := emitAll(numbers[:whole], c.size, emit); err != nil {
			return err
		}
		left = append(left, numbers[whole:]...)
	}
	return emitAll(left, c.size, emit)
}

func emitAll(numbers []int32, size int, emit func([]int) error) error {
	group := make([]int, 0, size)
	for chunk := range slices.Chunk(numbers, size) {
		group = group[:0]
		for _, number := range chunk {
			group = append(group, int(number))
		}
		if err := emit(group); err != nil {
			return err
		}
	}
	return nil
}
