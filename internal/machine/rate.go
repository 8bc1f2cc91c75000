package machine

import (
	"fmt"
	"time"

	"revela/torch"
)

// MultiplyRate measures the floating point operations a second of a product of two n × n matrices: the fastest of
// the products that fit in the given time, two at least. It is what a training step is held against. Where one product would
// take longer than that (a type that the processor only emulates), smaller matrices are multiplied.
func MultiplyRate(dtype torch.DType, n int64, atLeast time.Duration) (perSecond float64, err error) {
	side := min(n, 256)
	took, err := multiply(dtype, side, 0)
	for ; err == nil && side < n && 8*took < atLeast; took, err = multiply(dtype, side, 0) {
		side = min(n, 2*side)
	}
	if err == nil {
		took, err = multiply(dtype, side, atLeast)
	}
	if err != nil {
		return 0, fmt.Errorf("measure products: %w", err)
	}
	return 2 * float64(side) * float64(side) * float64(side) / took.Seconds(), nil
}

// multiply is the time of the fastest of the products that fit in the given time, after a first one, which also sets threads
// and buffers up.
func multiply(dtype torch.DType, n int64, atLeast time.Duration) (time.Duration, error) {
	s := torch.NewScope()
	defer s.Close()
	a, b := s.To(s.Randn(torch.Float32, n, n), dtype), s.To(s.Randn(torch.Float32, n, n), dtype)
	once := func() time.Duration {
		inner := torch.NewScope()
		defer inner.Close()
		start := time.Now()
		inner.MatMul(a, b)
		s.Fail(inner.Err())
		s.Fail(torch.Synchronize())
		return time.Since(start)
	}
	if s.Err() == nil {
		once()
	}
	fastest := once()
	for start := time.Now(); time.Since(start) < atLeast && s.Err() == nil; {
		fastest = min(fastest, once())
	}
	return fastest, s.Err()
}
