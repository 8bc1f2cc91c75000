package model

import (
	"fmt"

	"revela/torch"
)

// Pooling turns the hidden states of a text into one vector.
type Pooling string

// The ways of pooling: the first token, the mean of all, the last.
const (
	PoolCLS  Pooling = "cls"
	PoolMean Pooling = "mean"
	PoolEOS  Pooling = "eos"
)

// Pool returns one vector per sequence of hidden states [T, D], in fp32: [sequences, D].
func (p Pooling) Pool(s *torch.Scope, x torch.Tensor, b *Packed) torch.Tensor {
	n := int64(b.Len())
	switch p {
	case PoolCLS:
		return s.To(s.IndexSelect(x, 0, torch.From(s, b.Starts, n)), torch.Float32)
	case PoolEOS:
		return s.To(s.IndexSelect(x, 0, torch.From(s, b.Last(), n)), torch.Float32)
	case PoolMean:
		return meanPool(s, s.To(x, torch.Float32), b)
	}
	s.Fail(fmt.Errorf("pool: %q found; cls, mean or eos expected", p))
	return torch.Tensor{}
}

func meanPool(s *torch.Scope, x torch.Tensor, b *Packed) torch.Tensor {
	owner := make([]int64, 0, b.Tokens()) // the sequence of every token
	inverse := make([]float32, b.Len())
	for i, n := range b.Lens {
		for range n {
			owner = append(owner, int64(i))
		}
		inverse[i] = 1 / float32(n)
	}
	sum := s.IndexAdd(s.Zeros(torch.Float32, int64(b.Len()), s.Size(x, -1)), 0, torch.From(s, owner, b.Tokens()), x)
	return s.Mul(sum, torch.From(s, inverse, int64(b.Len()), 1))
}
