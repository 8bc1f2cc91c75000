package prepare

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"revela/data/engine"
)

// engineRanker asks a search engine that holds the corpus. A hit names a unit, or a document, whose units then take its
// place in their order; hits of other names are passed over. It holds the names of all units.
type engineRanker struct {
	index   *engine.Index
	text    func(number int) (string, error)
	numbers map[string][]int32 // unit or document → units
	added   int32
	first   string // the first unit's name
	known   bool   // a hit has named a unit
	asked   int
}

func newEngineRanker(address string, text func(int) (string, error)) (*engineRanker, error) {
	index, err := engine.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("prepare.%w", err)
	}
	return &engineRanker{index: index, text: text, numbers: map[string][]int32{}}, nil
}

func (s *engineRanker) add(u unit, _ string) error {
	if s.added == 0 {
		s.first = strings.Clone(u.id)
	}
	s.numbers[strings.Clone(u.id)] = []int32{s.added}
	if end := strings.LastIndexByte(u.id, '#'); end > 0 {
		document := strings.Clone(u.id[:end])
		s.numbers[document] = append(s.numbers[document], s.added)
	}
	s.added++
	return nil
}

func (s *engineRanker) start(ctx context.Context) error {
	documents, err := s.index.Check(ctx)
	if err == nil && documents == 0 {
		err = errors.New("engine: the index holds no documents")
	}
	return err
}

// minAsked is after how many searches without a known name the engine is taken for one of another corpus.
const minAsked = 100

func (s *engineRanker) nearest(ctx context.Context, seeds []int, k int, skip func(int) bool) ([][]int32, error) {
	lists := make([][]int32, len(seeds))
	open := make([]int, len(seeds)) // places in seeds whose lists may go on
	for i := range open {
		open[i] = i
	}
	for depth := 2 * k; len(open) > 0; depth = min(4*depth, engine.MaxHits) {
		texts := make([]string, len(open))
		for i, place := range open {
			var err error
			if texts[i], err = s.text(seeds[place]); err != nil {
				return nil, err
			}
		}
		found, err := s.index.Search(ctx, texts, depth)
		if err != nil {
			return nil, err
		}
		var longer []int
		for i, place := range open {
			more := len(found[i]) == depth && depth < engine.MaxHits
			if more {
				found[i] = withoutTies(found[i])
			}
			if lists[place] = s.take(found[i], seeds[place], k, skip); more && len(lists[place]) < k {
				longer = append(longer, place)
			}
		}
		if s.asked += len(open); !s.known && s.asked >= minAsked {
			return nil, fmt.Errorf("engine: none of the documents found is one of the inputs (the last is %q), expected ids such as %q", firstID(found), s.first)
		}
		open = longer
	}
	return lists, nil
}

// withoutTies leaves out the last hits of one score: which of those below the limit an engine gives is chance.
func withoutTies(hits []engine.Hit) []engine.Hit {
	last := hits[len(hits)-1].Score
	return hits[:slices.IndexFunc(hits, func(hit engine.Hit) bool { return hit.Score == last })]
}

// take returns the units that hits name, nearest first and those of one score in the order of the inputs.
func (s *engineRanker) take(hits []engine.Hit, seed, k int, skip func(int) bool) []int32 {
	type scored struct {
		number int32
		score  float64
	}
	var all []scored
	for _, hit := range hits {
		for _, number := range s.numbers[hit.ID] {
			s.known = true
			if int(number) != seed && !skip(int(number)) {
				all = append(all, scored{number, hit.Score})
			}
		}
	}
	slices.SortFunc(all, func(a, b scored) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.number, b.number))
	})
	var list []int32
	for _, s := range all[:min(k, len(all))] {
		list = append(list, s.number)
	}
	return list
}

func firstID(found [][]engine.Hit) string {
	for _, hits := range found {
		if len(hits) > 0 {
			return hits[0].ID
		}
	}
	return ""
}
