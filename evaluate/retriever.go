package evaluate

import (
	"context"
	"fmt"
)

// Retriever ranks the documents of a collection for its queries.
type Retriever interface {
	// Name is written into results and, as the tag, into runs.
	Name() string
	// Settings are written into results: whatever decides the scores.
	Settings() map[string]any
	// Search returns the best documents of every query of the collection.
	Search(ctx context.Context, c *Collection, options SearchOptions) (*Run, error)
}

// SearchOptions say what a search returns.
type SearchOptions struct {
	TopK            int  // documents a query
	RemoveIdentical bool // never return a document that has the query's id
	// Progress, where not nil, hears how much of a stage is done, in texts.
	Progress func(stage string, done, total int)
}

// Kind tells the two sorts of texts apart, which get different prompts and lengths.
type Kind int

// The sorts of texts.
const (
	Query Kind = iota
	Passage
)

// Encoder turns texts into vectors whose inner product is their similarity.
type Encoder interface {
	// Encode returns the embeddings [len(texts), dim], row by row. progress is never nil.
	Encode(ctx context.Context, texts []string, kind Kind, progress func(done, total int)) (embeddings []float32, dim int, err error)
	Name() string
	Settings() map[string]any
}

// encodeBlock is the number of documents that are encoded, searched and forgotten at a time (mteb's number).
const encodeBlock = 50_000

// Dense retrieves with an encoder and exact search.
type Dense struct {
	Encoder
	Product Product // nil: PlainProduct
	Block   int     // documents held in memory at a time; 0: 50,000
}

// Search encodes queries and documents and returns the exact nearest documents.
func (d Dense) Search(ctx context.Context, c *Collection, options SearchOptions) (*Run, error) {
	search, err := d.start(ctx, c, options)
	if err != nil {
		return nil, err
	}
	block := d.Block
	if block == 0 {
		block = encodeBlock
	}
	err = c.EachBlock(block, func(first int, texts []string) error {
		embeddings, dim, err := d.Encode(ctx, texts, Passage, options.report("documents", first, len(c.IDs)))
		if err != nil {
			return fmt.Errorf("encode documents: %w", err)
		}
		if dim != search.dim {
			return fmt.Errorf("encode documents: dimension %d, expected %d as the queries have", dim, search.dim)
		}
		return search.Add(c.IDs[first:first+len(texts)], embeddings)
	})
	if err != nil {
		return nil, err
	}
	run := &Run{Tag: d.Name(), Hits: map[string][]Hit{}}
	for i, hits := range search.Hits() {
		run.Hits[c.Queries[i].ID] = hits
	}
	return run, nil
}

func (d Dense) start(ctx context.Context, c *Collection, options SearchOptions) (*Search, error) {
	queries, dim, err := d.Encode(ctx, c.QueryTexts(), Query, options.report("queries", 0, len(c.Queries)))
	if err != nil {
		return nil, fmt.Errorf("encode queries: %w", err)
	}
	if dim <= 0 || len(queries) != len(c.Queries)*dim {
		return nil, fmt.Errorf("encode queries: %d numbers of dimension %d for %d queries", len(queries), dim, len(c.Queries))
	}
	var exclude []string
	if options.RemoveIdentical {
		for _, q := range c.Queries {
			exclude = append(exclude, q.ID)
		}
	}
	product := d.Product
	if product == nil {
		product = PlainProduct
	}
	return NewSearch(queries, dim, options.TopK, exclude, product)
}

// report returns a progress function for a part of a stage that begins at first.
func (o SearchOptions) report(stage string, first, total int) func(done, partTotal int) {
	return func(done, _ int) {
		if o.Progress != nil {
			o.Progress(stage, first+done, total)
		}
	}
}
