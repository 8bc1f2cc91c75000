package machine

import (
	"fmt"
	"time"

	"revela/torch"
)

// MultiplyRate measures the floating point operations a second of a product of two n × n matrices: the fastest of
// the products that fit in the given time, two at least. It is what a training step is held against.
func MultiplyRate(dtype torch.DType, n int64, atLeast time.Duration) (perSecond float64, err error) {
	s := torch.NewScope()
	defer s.Close()
	a, b := s.To(s.Randn(torch.Float32, n, n), dtype), s.To(s.Randn(torch.Float32, n, n), dtype)
	if err := s.Err(); err != nil {
		return 0, fmt.Errorf("measure products: %w", err)
	}
	multiply := func() time.Duration {
		inner := torch.NewScope()
		defer inner.Close()
		start := time.Now()
		inner.MatMul(a, b)
		s.Fail(inner.Err())
		s.Fail(torch.Synchronize())
		return time.Since(start)
	}
	multiply() // the first one also sets threads and buffers up
	fastest := multiply()
	for start := time.Now(); time.Since(start) < atLeast && s.Err() == nil; {
		fastest = min(fastest, multiply())
	}
	if err := s.Err(); err != nil {
		return 0, fmt.Errorf("measure products: %w", err)
	}
	return 2 * float64(n) * float64(n) * float64(n) / fastest.Seconds(), nil
}
