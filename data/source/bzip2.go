package source

import (
	"context"
	"io"
	"runtime"

	"github.com/cosnicolaou/pbzip2"
)

// decodeBzip2 decodes blocks on all cores, in order. stop ends the goroutines of a reader that is left before its end.
func decodeBzip2(r io.Reader) (decoded io.Reader, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	return pbzip2.NewReader(ctx, r, pbzip2.DecompressionOptions(pbzip2.BZConcurrency(runtime.GOMAXPROCS(0)))), cancel
}
