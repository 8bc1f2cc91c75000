package encode

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"

	"revela/evaluate"
	"revela/internal/npy"
)

var errChanged = errors.New("the file has changed while it was read")

// Search finds the exact k best documents of a corpus for every query. The corpus is a JSON Lines file as [File] reads, or
// a .npy file with ids beside it as [File] writes, of the same model. Memory holds a block of the corpus at a time. What is
// encoded of a corpus of texts comes from the cache, as in an evaluation, and goes there; nil: all of it is encoded.
func Search(ctx context.Context, e *Encoder, cache evaluate.Cache, queries []string, corpus string, k int, progress Progress) ([][]evaluate.Hit, error) {
	each, done, err := openCorpus(e, cache, corpus)
	if err != nil {
		return nil, err
	}
	defer done()
	vectors, dim, err := e.Encode(ctx, queries, evaluate.Query, func(done, total int) { progress("queries", done, total) })
	if err != nil {
		return nil, err
	}
	search, err := evaluate.NewSearch(vectors, dim, k, nil, Product)
	if err != nil {
		return nil, err
	}
	if err := each(ctx, progress, search.Add); err != nil {
		return nil, err
	}
	return search.Hits(), nil
}

// Encoded tells a corpus of vectors from one of texts by its name.
func Encoded(corpus string) bool { return strings.HasSuffix(corpus, ".npy") }

// blocks hands out a corpus block by block; each block is gone after visit.
type blocks func(ctx context.Context, progress Progress, visit func(ids []string, vectors []float32) error) error

// openCorpus checks a corpus before anything is encoded; done ends its use.
func openCorpus(e *Encoder, cache evaluate.Cache, path string) (each blocks, done func(), err error) {
	if Encoded(path) {
		return openVectors(e, path)
	}
	ids, err := readIDs(path)
	if err != nil {
		return nil, nil, fmt.Errorf("open corpus: %w", err)
	}
	return func(ctx context.Context, progress Progress, visit func([]string, []float32) error) error {
		return eachEncoded(ctx, evaluate.Dense{Encoder: e, Cache: cache}, path, ids, evaluate.Passage, progress, visit)
	}, func() {}, nil
}

func openVectors(e *Encoder, path string) (each blocks, done func(), err error) {
	n, err := npy.Open(path)
	if err != nil {
		return nil, nil, err
	}
	content, err := os.ReadFile(IDsFile(path))
	ids := strings.Fields(string(content))
	if err == nil && len(ids) != n.Rows {
		err = fmt.Errorf("%s: %d ids, expected one for each of the %d vectors in %s", IDsFile(path), len(ids), n.Rows, path)
	}
	if width := int(e.Retriever.Width()); err == nil && n.Dim != width {
		err = fmt.Errorf("%s: vectors of dimension %d, expected %d as %s makes", path, n.Dim, width, e.Model)
	}
	if err != nil {
		return nil, nil, errors.Join(err, n.Close())
	}
	return func(ctx context.Context, progress Progress, visit func([]string, []float32) error) error {
		return eachVector(ctx, e, n, ids, progress, visit)
	}, func() { n.Close() }, nil
}

func eachVector(ctx context.Context, e *Encoder, n *npy.File, ids []string, progress Progress, visit func([]string, []float32) error) error {
	rows, done := make([]float32, min(n.Rows, fileBlock)*n.Dim), 0
	for block := range slices.Chunk(ids, fileBlock) {
		if err := ctx.Err(); err != nil {
			return err
		}
		vectors := rows[:len(block)*n.Dim]
		if err := n.Read(vectors); err != nil {
			return err
		}
		if e.Retriever.Normalize {
			normalize(vectors, n.Dim)
		}
		if err := visit(block, vectors); err != nil {
			return err
		}
		done += len(block)
		progress("vectors", done, n.Rows)
	}
	return nil
}

// normalize gives rows unit length that have another one. Vectors in a file need not be normalised where the model's own
// files leave that to the search.
func normalize(rows []float32, dim int) {
	for row := range slices.Chunk(rows, dim) {
		squares := 0.0
		for _, x := range row {
			squares += float64(x) * float64(x)
		}
		if math.Abs(squares-1) < 1e-4 || squares == 0 {
			continue
		}
		scale := 1 / math.Sqrt(squares)
		for i := range row {
			row[i] = float32(float64(row[i]) * scale)
		}
	}
}
