package prepare

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"revela/bm25"
	"revela/data/permute"
)

// neighbours groups each seed with the units that BM25 ranks highest for it. Units begin groups in an order shuffled by
// seed; one that is in as many groups as it may be is passed over, so that with one use each, late groups are looser
// than early ones. Seeds with too few units that share a term with them come together at the end, with those they have.
//
// The groups are those of a search for one seed after the other. What is done is to look for many seeds at once, on all
// cores and, with several ranks, on all machines: a list stays a correct beginning of a seed's ranking while units of it
// are used up, and only when too few are left is it made anew. So neither threads nor ranks change a group.
type neighbours struct {
	size   int
	opt    Options
	text   func(unit) string
	near   ranker
	report func(done, total int) // seeds
	added  int
	uses   []uint16 // groups that each unit is in
	lists  map[int][]int32
	left   []int32
	isLeft map[int]bool
}

// reportEvery is how many seeds are passed between two reports of progress.
const reportEvery = 64

// ranker finds the units nearest to others.
type ranker interface {
	// add takes the next unit.
	add(u unit, text string) error
	// start is called once, after all units are added.
	start(ctx context.Context) error
	// nearest returns, for every seed, the k units nearest to it that skip does not name, nearest first, the seed aside;
	// fewer only where there are no more. skip stays as it is meanwhile.
	nearest(ctx context.Context, seeds []int, k int, skip func(number int) bool) ([][]int32, error)
}

// newNeighbours compares the texts that are trained on, identifiers split where they are code. Queries have no say.
func newNeighbours(opt Options, size int, at func(int) (unit, error), report func(done, total int)) (*neighbours, error) {
	n := &neighbours{size: size, opt: opt, report: report, text: func(u unit) string { return u.text }, lists: map[int][]int32{}, isLeft: map[int]bool{}}
	if opt.Queries == NoQueries {
		n.text = unit.wholeText
	}
	if opt.Engine != "" {
		near, err := newEngineRanker(opt.Engine, func(number int) (string, error) {
			u, err := at(number)
			return n.text(u), err
		})
		n.near = near
		return n, err
	}
	analysis := bm25.English
	if opt.Unit == Functions {
		analysis = bm25.Code
	}
	index := bm25.Defaults(analysis)
	index.Threads = opt.threads()
	builder, err := bm25.NewBuilder(index)
	if err != nil {
		return nil, fmt.Errorf("group by bm25: %w", err)
	}
	n.near = &bm25Ranker{builder: builder, threads: opt.threads()}
	shared := &sharedRanker{ranker: n.near, rank: opt.Rank, ranks: opt.Ranks, dir: opt.exchangeDir(), unit: opt.Unit}
	if opt.Ranks <= 1 { // it exchanges with itself: with the run that was interrupted
		shared.rank, shared.ranks, shared.dir = 0, 1, filepath.Join(opt.workDir(), "neighbours")
	}
	n.near = shared
	return n, nil
}

func (n *neighbours) add(u unit, _ func([]int) error) error {
	n.added++
	return n.near.add(u, n.text(u))
}

func (n *neighbours) flush(ctx context.Context, emit func([]int) error) error {
	if n.added == 0 {
		return nil
	}
	if err := n.near.start(ctx); err != nil {
		return fmt.Errorf("group by bm25: %w", err)
	}
	n.uses = make([]uint16, n.added)
	order := permute.New(n.added, permute.Key(uint64(n.opt.Seed), uint64(hashPlace("order", BM25)*(1<<53))))
	seeds := n.seeds()
	for place := range seeds {
		if place%reportEvery == 0 {
			n.report(place, seeds)
		}
		seed := order.At(place)
		if n.full(seed) {
			continue
		}
		group, enough := n.group(seed)
		if !enough {
			if err := n.look(ctx, order, place, seeds); err != nil {
				return fmt.Errorf("group by bm25: %w", err)
			}
			group, _ = n.group(seed)
		}
		if err := n.take(group, emit); err != nil {
			return err
		}
	}
	n.report(seeds, seeds)
	return emitAll(n.left, n.size, emit)
}

// seeds is how many of the units may begin a group.
func (n *neighbours) seeds() int {
	if n.opt.Seeds <= 0 {
		return n.added
	}
	return max(1, int(n.opt.Seeds*float64(n.added)))
}

// full tells whether a unit is in as many groups as it may be.
func (n *neighbours) full(number int) bool { return int(n.uses[number]) >= max(1, n.opt.MaxUses) }

// group returns the seed with its nearest units that are not full; enough is false where its list may go on.
func (n *neighbours) group(seed int) (group []int, enough bool) {
	list, found := n.lists[seed]
	if !found {
		return nil, false
	}
	group = append(group, seed)
	for _, number := range list {
		if len(group) == n.size {
			break
		}
		if !n.full(int(number)) {
			group = append(group, int(number))
		}
	}
	return group, len(group) == n.size || len(list) < n.listLen()
}

// take marks the units of a group as used once more, and emits it if it is whole.
func (n *neighbours) take(group []int, emit func([]int) error) error {
	delete(n.lists, group[0])
	for _, number := range group {
		n.uses[number]++
	}
	if len(group) == n.size {
		return emit(group)
	}
	for _, number := range group {
		if !n.isLeft[number] { // with several uses it may be, and would meet itself
			n.isLeft[number] = true
			n.left = append(n.left, int32(number))
		}
	}
	return nil
}

// listLen is how many neighbours are looked for, some more than a group needs, as others may take them first.
func (n *neighbours) listLen() int { return 2 * n.size }

// look finds the lists of the seed at a place and of those that follow. They are few enough that most of them are still
// to be seeds when their turn comes.
func (n *neighbours) look(ctx context.Context, order permute.Permutation, place, end int) error {
	delete(n.lists, order.At(place))
	free := 0
	for number := range n.uses {
		if !n.full(number) {
			free++
		}
	}
	limit := min(max(free/(8*n.size), 16), 1024*max(1, n.opt.Ranks))
	var seeds []int
	for ; place < end && len(seeds) < limit; place++ {
		seed := order.At(place)
		if _, found := n.lists[seed]; !found && !n.full(seed) {
			seeds = append(seeds, seed)
		}
	}
	lists, err := n.near.nearest(ctx, seeds, n.listLen(), n.full)
	if err != nil {
		return err
	}
	for i, seed := range seeds {
		n.lists[seed] = slices.Clip(lists[i])
	}
	return nil
}
