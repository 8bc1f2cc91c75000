package bench

import (
	"context"
	"fmt"
	"time"

	"revela/encode"
	"revela/evaluate"
)

// EncodeResult is the JSON of an encoding benchmark.
type EncodeResult struct {
	Texts       int     `json:"texts"`
	Seconds     float64 `json:"seconds"`
	TextsPerSec float64 `json:"texts_per_s"`
	LoadSeconds float64 `json:"load_s"`
	Precision   string  `json:"precision"`
}

// Encode times the encoding of texts, after a warm-up on the first of them. o says which model and how.
func Encode(ctx context.Context, o encode.OpenOptions, texts []string) (EncodeResult, error) {
	if len(texts) == 0 {
		return EncodeResult{}, fmt.Errorf("bench encode: no text found")
	}
	start := time.Now()
	e, err := encode.Open(ctx, o)
	if err != nil {
		return EncodeResult{}, err
	}
	defer e.Close()
	r := EncodeResult{Texts: len(texts), LoadSeconds: time.Since(start).Seconds(), Precision: e.Precision.String()}
	silent := func(int, int) {}
	if _, _, err := e.Encode(ctx, texts[:min(64, len(texts))], evaluate.Passage, silent); err != nil {
		return r, err
	}
	start = time.Now()
	if _, _, err := e.Encode(ctx, texts, evaluate.Passage, silent); err != nil {
		return r, err
	}
	r.Seconds = time.Since(start).Seconds()
	r.TextsPerSec = float64(len(texts)) / r.Seconds
	return r, nil
}
