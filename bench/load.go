package bench

import (
	"context"
	"time"

	"revela/model"
	"revela/model/checkpoint"
	"revela/torch"
)

// LoadResult is the JSON of a benchmark of loading.
type LoadResult struct {
	Seconds    []float64 `json:"seconds"` // of each time
	MedianLoad float64   `json:"median_load_s"`
	Parameters int64     `json:"parameters"`
	PeakRSS    int64     `json:"peak_rss_mib"`
}

// Load times opening a checkpoint whose name is resolved before: configuration, tokenizer and weights in the type of the
// products, to be used frozen. The first time may read from the disk, the others from the system's cache.
func Load(ctx context.Context, name string, dtype torch.DType, times int) (r LoadResult, err error) {
	dir, err := (&checkpoint.Resolver{}).Resolve(ctx, name, "")
	if err != nil {
		return r, err
	}
	for range times {
		start := time.Now()
		if _, err := model.LoadTokenizer(dir); err != nil {
			return r, err
		}
		n, err := model.Load(dir, model.Options{Compute: dtype})
		if err == nil {
			err = model.Prepack(n, false)
		}
		if err != nil {
			return r, err
		}
		r.Seconds = append(r.Seconds, time.Since(start).Seconds())
		r.Parameters = 0
		for _, p := range model.AllParams(n) {
			size := int64(1)
			for _, side := range p.Shape {
				size *= side
			}
			r.Parameters += size
		}
		n.Free()
	}
	r.MedianLoad, r.PeakRSS = median(r.Seconds), torch.PeakResidentBytes()>>20
	return r, nil
}
