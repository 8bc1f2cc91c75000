package evaluate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"revela/bm25"
	"revela/internal/topk"
)

// BM25 is the lexical baseline.
type BM25 struct {
	name    string
	options bm25.Options
}

// NewBM25 returns the baseline of a name: bm25 (stop words and English stemming, as mteb's baseline), bm25:unstemmed
// (stop words alone, as bm25s without a stemmer) or bm25:code, which splits camelCase and snake_case as well.
func NewBM25(name string) (*BM25, error) {
	switch name {
	case "bm25":
		return &BM25{name, bm25.Defaults(bm25.English)}, nil
	case "bm25:unstemmed":
		return &BM25{name, bm25.Defaults(bm25.Analysis{StopWords: true})}, nil
	case "bm25:code":
		return &BM25{name, bm25.Defaults(bm25.Code)}, nil
	}
	return nil, fmt.Errorf("unknown baseline %q, expected bm25, bm25:unstemmed or bm25:code", name)
}

// IsBM25 reports whether a model's name means the baseline rather than a checkpoint.
func IsBM25(name string) bool { return name == "bm25" || strings.HasPrefix(name, "bm25:") }

// Name returns the name that it was made with.
func (m *BM25) Name() string { return m.name }

// Settings returns the parameters.
func (m *BM25) Settings() map[string]any {
	return map[string]any{
		"k1": m.options.K1, "b": m.options.B, "stop_words": m.options.Analysis.StopWords, "stemming": m.options.Analysis.Stem,
		"split_identifiers": m.options.Analysis.Identifiers != bm25.Whole,
	}
}

// Search indexes the collection and ranks all its documents: those that share no term with a query have the score
// 0 and fill its list up, as with an encoder or bm25s.
func (m *BM25) Search(ctx context.Context, c *Collection, options SearchOptions) (*Run, error) {
	if options.TopK <= 0 {
		return nil, fmt.Errorf("search: top_k is %d, expected at least 1", options.TopK)
	}
	index, err := m.index(ctx, c, options)
	if err != nil {
		return nil, err
	}
	ranker := &lexicalRanker{index: index, ids: c.IDs, byID: descending(c.IDs), k: options.TopK, exclude: options.excluded(c)}
	all, errs := make([][]Hit, len(c.Queries)), make([]error, len(c.Queries))
	inParallel(len(c.Queries), func(i int) {
		if errs[i] = ctx.Err(); errs[i] == nil {
			all[i], errs[i] = ranker.rank(i, c.Queries[i].FullText())
		}
	})
	run := &Run{Tag: m.name, Hits: map[string][]Hit{}}
	for i, q := range c.Queries {
		if errs[i] != nil {
			return nil, errs[i]
		}
		run.Hits[q.ID] = all[i]
	}
	return run, nil
}

func (m *BM25) index(ctx context.Context, c *Collection, options SearchOptions) (*bm25.Index, error) {
	builder, err := bm25.NewBuilder(m.options)
	if err != nil {
		return nil, err
	}
	const block = 1024
	err = c.EachBlock(block, func(first int, texts []string) error {
		for _, text := range texts {
			if err := builder.Add(text); err != nil {
				return err
			}
		}
		options.report("documents", first, len(c.IDs))(len(texts), len(texts))
		return ctx.Err()
	})
	if err != nil {
		return nil, err
	}
	return builder.Build()
}

// descending returns the indices of ids in descending order of id: trec_eval's order of equal scores.
func descending(ids []string) []int32 {
	order := make([]int32, len(ids))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return strings.Compare(ids[b], ids[a]) })
	return order
}

type lexicalRanker struct {
	index *bm25.Index
	ids   []string
	byID  []int32
	k     int

	exclude Exclude
}

func (r *lexicalRanker) allows(query int, document int32) bool {
	return r.exclude == nil || !r.exclude(query, r.ids[document])
}

// rank returns the best k documents of a query in trec_eval's order.
func (r *lexicalRanker) rank(query int, text string) ([]Hit, error) {
	scores := make([]float32, len(r.ids))
	if err := r.index.Scores(text, scores); err != nil {
		return nil, err
	}
	best := topk.New(r.k, func(a, b int32) bool { return r.ids[a] > r.ids[b] })
	for document, score := range scores {
		if score > 0 && r.allows(query, int32(document)) {
			best.Push(int32(document), score)
		}
	}
	var hits []Hit
	for _, item := range best.Sorted() {
		hits = append(hits, Hit{Document: r.ids[item.Index], Score: item.Score})
	}
	for _, document := range r.byID {
		if len(hits) >= r.k {
			break
		}
		if scores[document] == 0 && r.allows(query, document) {
			hits = append(hits, Hit{Document: r.ids[document]})
		}
	}
	return hits, nil
}
