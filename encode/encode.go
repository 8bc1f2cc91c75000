// Package encode turns texts into vectors with a retriever: batches of like lengths, all cores, in input order.
package encode

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode"

	"revela/evaluate"
	"revela/model"
	"revela/model/checkpoint"
	"revela/torch"
)

// Encoder encodes texts. It implements [evaluate.Encoder].
type Encoder struct {
	Retriever   *model.Retriever
	Config      *checkpoint.Config // of the network; nil where nobody needs it
	Model       string             // name, for results
	Adapter     string             // that was merged into it, for results; "": none
	MaxLength   int                // tokens of a text; 0: the retriever's
	BatchTokens int                // tokens of a batch at most; 0: DefaultBatchTokens
	Precision   torch.DType
	StripTexts  bool // drop white space at the end of texts, as the paper's evaluation does

	folders []string // of the model, its adapters' first
	hash    string   // of their files, as soon as somebody has asked
}

// DefaultBatchTokens is the size of a batch where nothing else is said.
const DefaultBatchTokens = 16384

// cpuBatchTokens are enough for a CPU's products to run at their full rate. Each core has a batch of its own, whose
// activations with more tokens take memory and no less time (MiniLM, 256 tokens a text: 0.59 GB instead of 1.16).
const cpuBatchTokens = 2048

// Name is the model's name.
func (e *Encoder) Name() string { return e.Model }

// Settings says how texts are encoded, for results.
func (e *Encoder) Settings() map[string]any {
	r := e.Retriever
	settings := map[string]any{
		"pooling": string(r.Pooling), "normalize": r.Normalize, "append_eos": r.AppendEOS, "query_prefix": r.QueryPrefix,
		"passage_prefix": r.PassagePrefix, "max_length": e.maxLength(), "precision": e.Precision.String(),
	}
	if e.Adapter != "" {
		settings["adapter"] = e.Adapter
	}
	if e.StripTexts {
		settings["strip_texts"] = true
	}
	return settings
}

func (e *Encoder) maxLength() int { return cmp.Or(e.MaxLength, e.Retriever.MaxLength) }

// Encode returns the vectors [len(texts), dim] of texts in their order. A text's vector does not depend on the others
// beyond the rounding of matrix products.
func (e *Encoder) Encode(ctx context.Context, texts []string, kind evaluate.Kind, progress func(done, total int)) ([]float32, int, error) {
	dim := int(e.Retriever.Width())
	ids, err := e.tokenize(texts, kind)
	if err != nil {
		return nil, 0, err
	}
	batches := batchByLength(ids, e.batchTokens(ids))
	out := make([]float32, len(texts)*dim)
	done := 0
	var report sync.Mutex
	err = parallel(ctx, len(batches), func(i int) error {
		if err := e.batch(ids, batches[i], dim, out); err != nil {
			return fmt.Errorf("encode: %w", err)
		}
		report.Lock()
		defer report.Unlock()
		done += len(batches[i])
		progress(done, len(texts))
		return nil
	})
	return out, dim, err
}

func (e *Encoder) tokenize(texts []string, kind evaluate.Kind) ([][]int32, error) {
	ids := make([][]int32, len(texts))
	as := model.Query
	if kind == evaluate.Passage {
		as = model.Passage
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range torch.Threads() {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(texts)); i = next.Add(1) - 1 {
				ids[i] = e.Retriever.Tokens(e.text(texts[i]), as, e.maxLength())
			}
		})
	}
	wg.Wait()
	for i := range ids {
		if len(ids[i]) == 0 {
			return nil, fmt.Errorf("encode: text %d of %d has no token: %.40q", i+1, len(texts), texts[i])
		}
	}
	return ids, nil
}

func (e *Encoder) text(text string) string {
	if e.StripTexts {
		return strings.TrimRightFunc(text, unicode.IsSpace)
	}
	return text
}

// batch encodes the texts of the given indices into their rows of out.
func (e *Encoder) batch(ids [][]int32, indices []int, dim int, out []float32) error {
	sequences := make([][]int32, len(indices))
	for i, at := range indices {
		sequences[i] = ids[at]
	}
	rows := make([]float32, len(indices)*dim)
	if err := e.Retriever.Encode(sequences, rows); err != nil {
		return err
	}
	for i, at := range indices {
		copy(out[at*dim:(at+1)*dim], rows[i*dim:(i+1)*dim])
	}
	return nil
}

// batchTokens is the most tokens of a batch: what was asked for, on a CPU no more than it has use for, and less where a few
// large batches would leave cores idle.
func (e *Encoder) batchTokens(ids [][]int32) int {
	if torch.OnDevice() {
		return cmp.Or(e.BatchTokens, DefaultBatchTokens)
	}
	total := 0
	for _, text := range ids {
		total += len(text)
	}
	return min(cmp.Or(e.BatchTokens, DefaultBatchTokens), cpuBatchTokens, max(512, total/(8*torch.Threads())))
}

// batchByLength sorts texts by length, longest first and stable, and cuts them into batches of at most limit tokens.
func batchByLength(ids [][]int32, limit int) [][]int {
	order := make([]int, len(ids))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(len(ids[b]), len(ids[a])) })
	var batches [][]int
	tokens := 0
	for _, i := range order {
		if n := len(ids[i]); len(batches) == 0 || tokens+n > limit {
			batches, tokens = append(batches, nil), 0
		}
		batches[len(batches)-1] = append(batches[len(batches)-1], i)
		tokens += len(ids[i])
	}
	return batches
}

// parallel runs f(0…n-1) on as many goroutines as there are threads, each with single-threaded operations: batches are
// independent, so a core a batch wastes nothing on waiting for others. A device is kept busy by two goroutines: it computes
// one's batch while the other reads a result and packs the next.
func parallel(ctx context.Context, n int, f func(i int) error) error {
	count, workers := torch.Threads(), torch.Threads()
	if torch.OnDevice() {
		workers = 2
	}
	torch.SetThreads(1)
	defer torch.SetThreads(count)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(workers, n) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n) && ctx.Err() == nil; i = next.Add(1) - 1 {
				if err := f(int(i)); err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}
