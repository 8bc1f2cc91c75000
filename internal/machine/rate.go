package machine

import (
	"fmt"
	"time"

	"revela/torch"
)

// MultiplyRate measures the floating point operations a second of a product of two n × n matrices, over at
// least the given time. It is what a training step is held against.
func MultiplyRate(dtype torch.DType, n int64, atLeast time.Duration) (perSecond float64, err error) {
	s := torch.NewScope()
	defer s.Close()
	a, b := s.To(s.Randn(torch.Float32, n, n), dtype), s.To(s.Randn(torch.Float32, n, n), dtype)
	if err := s.Err(); err != nil {
		return 0, fmt.Errorf("measure products: %w", err)
	}
	multiply := func() {
		inner := torch.NewScope()
		defer inner.Close()
		inner.MatMul(a, b)
		s.Fail(inner.Err())
	}
	multiply() // the first one also sets threads and buffers up
	start, products := time.Now(), 0
	for ; time.Since(start) < atLeast && s.Err() == nil; products++ {
		multiply()
	}
	if err := s.Err(); err != nil {
		return 0, fmt.Errorf("measure products: %w", err)
	}
	return 2 * float64(n) * float64(n) * float64(n) * float64(products) / time.Since(start).Seconds(), nil
}
