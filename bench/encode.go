package bench

import (
	"context"
	"fmt"
	"time"

	"revela/encode"
	"revela/evaluate"
	"revela/model"
)

// EncodeResult is the JSON of an encoding benchmark.
type EncodeResult struct {
	Texts       int     `json:"texts"`
	Seconds     float64 `json:"seconds"`
	TextsPerSec float64 `json:"texts_per_s"`
	LoadSeconds float64 `json:"load_s"`
	Precision   string  `json:"precision"`

	Tokens    int64   `json:"tokens"`
	FLOPRate  float64 `json:"flop_rate"`  // of the matrix products that the texts need, without padding
	GEMMRate  float64 `json:"gemm_rate"`  // of a large product in the same type on the same threads; see besideGEMM
	PeakShare float64 `json:"peak_share"` // FLOPRate over GEMMRate
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
	r.GEMMRate, err = besideGEMM(e.Precision, func() error {
		start := time.Now()
		_, _, err := e.Encode(ctx, texts, evaluate.Passage, silent)
		r.Seconds = time.Since(start).Seconds()
		return err
	})
	if err != nil {
		return r, err
	}
	r.TextsPerSec = float64(len(texts)) / r.Seconds
	r.hold(e, texts)
	return r, nil
}

// hold sets the rate of products beside the machine's.
func (r *EncodeResult) hold(e *encode.Encoder, texts []string) {
	sequences := make([][]int32, len(texts))
	for i, text := range texts {
		sequences[i] = e.Retriever.Tokens(text, model.Passage, e.MaxLength)
	}
	packed := model.Pack(sequences)
	r.Tokens, r.FLOPRate = packed.Tokens(), forwardFlops(e.Retriever.Network, packed)/r.Seconds
	r.PeakShare = r.FLOPRate / r.GEMMRate
}
