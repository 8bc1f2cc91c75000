package prepare

import (
	"fmt"

	"revela/bm25"
	"revela/data/permute"
	"revela/internal/topk"
)

// neighbours groups each unit with those that BM25 ranks highest for it. Seeds come in an order shuffled by seed; a
// seed that is not in a group yet forms one with its nearest units that are not either, so that every unit is used
// once, and late groups are looser than early ones. Too few that share a term with their seed come together with
// those of the next such seeds, at the end.
//
// Until flush it holds all units and 12 bytes for each distinct term of each; then 8 bytes, or 20 while the index is
// built. Every seed scores all units: time grows with the square of their number. One goroutine does it, so the
// number of threads has no influence.
type neighbours struct {
	size    int
	seed    uint64
	text    func(unit) string
	builder *bm25.Builder
	units   []unit
}

// newNeighbours compares the texts that are trained on, identifiers split where they are code. Queries have no say.
func newNeighbours(opt Options, size int) (*neighbours, error) {
	analysis := bm25.English
	if opt.Unit == Functions {
		analysis = bm25.Code
	}
	builder, err := bm25.NewBuilder(bm25.Defaults(analysis))
	if err != nil {
		return nil, fmt.Errorf("group by bm25: %w", err)
	}
	n := &neighbours{size: size, seed: uint64(opt.Seed), builder: builder, text: func(u unit) string { return u.text }}
	if opt.Queries == NoQueries {
		n.text = unit.wholeText
	}
	return n, nil
}

func (n *neighbours) add(u unit, _ func([]unit) error) error {
	n.units = append(n.units, u)
	return n.builder.Add(n.text(u))
}

func (n *neighbours) flush(emit func([]unit) error) error {
	if len(n.units) == 0 {
		return nil
	}
	index, err := n.builder.Build()
	if err != nil {
		return fmt.Errorf("group by bm25: %w", err)
	}
	order := permute.New(len(n.units), permute.Key(n.seed, uint64(hashPlace("order", BM25)*(1<<53))))
	used, scores := make([]bool, len(n.units)), make([]float32, len(n.units))
	var left []unit
	for i := range n.units {
		seed := order.At(i)
		if used[seed] {
			continue
		}
		if err := index.Scores(n.text(n.units[seed]), scores); err != nil {
			return fmt.Errorf("group by bm25: %w", err)
		}
		group := n.take(seed, scores, used)
		if len(group) < n.size {
			left = append(left, group...)
			continue
		}
		if err := emit(group); err != nil {
			return err
		}
	}
	return emitAll(left, n.size, emit)
}

// take returns the seed and its nearest units that are not used, nearest first, and marks them as used. Of equally
// near ones it prefers the one that was added first.
func (n *neighbours) take(seed int, scores []float32, used []bool) []unit {
	used[seed] = true
	nearest := topk.New(n.size-1, func(a, b int32) bool { return a < b })
	for i, score := range scores {
		if score > 0 && !used[i] {
			nearest.Push(int32(i), score)
		}
	}
	group := []unit{n.units[seed]}
	for _, hit := range nearest.Sorted() {
		used[hit.Index] = true
		group = append(group, n.units[hit.Index])
	}
	return group
}
