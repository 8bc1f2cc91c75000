package jsonl

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"revela/internal/atomicfile"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Write creates the file at path, whole or not at all, from the values that fill hands to put,
// a line each. The same values give the same bytes.
func Write(path string, fill func(put func(value any) error) error) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		compressed, err := compress(path, w)
		if err != nil {
			return err
		}
		encoder := json.NewEncoder(compressed)
		encoder.SetEscapeHTML(false)
		if err := fill(encoder.Encode); err != nil {
			return errors.Join(err, compressed.Close())
		}
		return compressed.Close()
	})
}

// compress returns a writer that encodes as the name of path says; closing it ends the encoding, not w.
func compress(path string, w io.Writer) (io.WriteCloser, error) {
	switch {
	case strings.HasSuffix(path, ".gz"):
		return gzip.NewWriter(w), nil
	case strings.HasSuffix(path, ".zst"):
		z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
		if err != nil {
			return nil, fmt.Errorf("start Zstandard: %w", err)
		}
		return z, nil
	}
	return plain{w}, nil
}

type plain struct{ io.Writer }

func (plain) Close() error { return nil }
