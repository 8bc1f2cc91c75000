package bench

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"revela/data/prepare"
)

// PrepareResult is the JSON of a benchmark of preparing.
type PrepareResult struct {
	Files       int     `json:"files"`
	Chunks      int     `json:"chunks"` // in groups
	Groups      int     `json:"groups"`
	Seconds     float64 `json:"seconds"`
	FilesPerSec float64 `json:"files_per_s"`
}

// Prepare times the preparation that o describes, into a folder that is removed afterwards.
func Prepare(ctx context.Context, o prepare.Options) (r PrepareResult, err error) {
	dir, err := os.MkdirTemp("", "revela-bench-")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	o.Output = filepath.Join(dir, "groups.jsonl.zst")
	start := time.Now()
	summary, err := prepare.Run(ctx, o, nil)
	if err != nil {
		return r, err
	}
	r.Seconds = time.Since(start).Seconds()
	r.Files, r.Chunks, r.Groups = summary.Files, summary.Trained, summary.Groups
	r.FilesPerSec = float64(r.Files) / r.Seconds
	return r, nil
}
