package train

import (
	"context"

	"revela/data"
)

// prepared is a group that has been read and tokenised ahead of its step.
type prepared struct {
	group data.Group
	batch *Batch
	err   error
}

// readAhead reads and tokenises the groups with the numbers first, first+1, …, before end in the stream of training, in
// order, while the caller computes: at most ahead of them wait. The last one sent may carry an error. Cancelling ctx
// ends it.
func readAhead(ctx context.Context, groups *data.Groups, batcher *Batcher, first, end int64, ahead int) <-chan prepared {
	out := make(chan prepared, ahead)
	go func() {
		defer close(out)
		for n := first; n < end; n++ {
			p := read(groups, batcher, n)
			select {
			case out <- p:
			case <-ctx.Done():
				return
			}
			if p.err != nil {
				return
			}
		}
	}()
	return out
}

func read(groups *data.Groups, batcher *Batcher, n int64) (p prepared) {
	if p.group, p.err = groups.At(groups.Position(n)); p.err == nil {
		p.batch, p.err = batcher.Batch(p.group)
	}
	return p
}
