package evaluate

import (
	"cmp"
	"context"
	"fmt"
	"slices"
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
	RemoveIdentical bool // never return a document that has the query's id, whatever the collection's task says
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

// Identified is an encoder that can say what its embeddings depend on beside the texts: the weights, the prompt and all
// other settings. Equal identities mean equal embeddings.
type Identified interface {
	Identity(kind Kind) (string, error)
}

// Cache keeps embeddings from one search to the next.
type Cache interface {
	// Embeddings returns the rows [len(texts), dim] of texts under an identity: those that were kept, else those that
	// encode makes, which are kept from then on. done ends the use of the rows; it is nil only where there is an error.
	Embeddings(identity string, texts []string, encode func() (rows []float32, dim int, err error)) (rows []float32, dim int, done func(), err error)
}

// encodeBlock is the number of documents that are encoded, searched and forgotten at a time, and what an evaluation that
// was killed has to encode again at most.
const encodeBlock = 8192

// Dense retrieves with an encoder and exact search.
type Dense struct {
	Encoder
	Product Product // nil: PlainProduct
	Block   int     // documents held in memory at a time; 0: 8192
	Cache   Cache   // of embeddings; nil, or an encoder that is not [Identified]: all texts are encoded each time
}

// Search encodes queries and documents and returns the exact nearest documents.
func (d Dense) Search(ctx context.Context, c *Collection, options SearchOptions) (*Run, error) {
	search, err := d.start(ctx, c, options)
	if err != nil {
		return nil, err
	}
	err = c.EachBlock(cmp.Or(d.Block, encodeBlock), func(first int, texts []string) error {
		embeddings, dim, done, err := d.Embed(ctx, texts, Passage, options.report("documents", first, len(c.IDs)))
		if err != nil {
			return fmt.Errorf("encode documents: %w", err)
		}
		defer done()
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
	rows, dim, done, err := d.Embed(ctx, c.QueryTexts(), Query, options.report("queries", 0, len(c.Queries)))
	if err != nil {
		return nil, fmt.Errorf("encode queries: %w", err)
	}
	queries := slices.Clone(rows)
	done()
	if dim <= 0 || len(queries) != len(c.Queries)*dim {
		return nil, fmt.Errorf("encode queries: %d numbers of dimension %d for %d queries", len(queries), dim, len(c.Queries))
	}
	product := d.Product
	if product == nil {
		product = PlainProduct
	}
	return NewSearch(queries, dim, options.TopK, options.excluded(c), product)
}

// Embed is Encode through the cache. done ends the use of the rows; it is nil only where there is an error.
func (d Dense) Embed(ctx context.Context, texts []string, kind Kind, progress func(done, total int)) (rows []float32, dim int, done func(), err error) {
	encode := func() ([]float32, int, error) { return d.Encode(ctx, texts, kind, progress) }
	encoder, identified := d.Encoder.(Identified)
	if d.Cache == nil || !identified {
		rows, dim, err = encode()
		return rows, dim, func() {}, err
	}
	if err := ctx.Err(); err != nil {
		return nil, 0, nil, err
	}
	identity, err := encoder.Identity(kind)
	if err != nil {
		return nil, 0, nil, err
	}
	rows, dim, done, err = d.Cache.Embeddings(identity, texts, encode)
	if err == nil {
		progress(len(texts), len(texts))
	}
	return rows, dim, done, err
}

// excluded says which documents the queries of a collection must not find; nil: they may find all.
func (o SearchOptions) excluded(c *Collection) Exclude {
	identical := o.RemoveIdentical || c.RemoveIdentical
	if !identical && len(c.Excluded) == 0 {
		return nil
	}
	lists := make([]map[string]bool, len(c.Queries))
	for i, q := range c.Queries {
		lists[i] = map[string]bool{}
		for _, document := range c.Excluded[q.ID] {
			lists[i][document] = true
		}
		if identical {
			lists[i][q.ID] = true
		}
	}
	return func(query int, document string) bool { return lists[query][document] }
}

// report returns a progress function for a part of a stage that begins at first.
func (o SearchOptions) report(stage string, first, total int) func(done, partTotal int) {
	return func(done, _ int) {
		if o.Progress != nil {
			o.Progress(stage, first+done, total)
		}
	}
}
