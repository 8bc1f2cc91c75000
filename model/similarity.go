package model

import (
	"math"

	"revela/torch"
)

// Similarity says how the retriever's vectors become the weights of the in-batch attention.
type Similarity struct {
	Temperature float64
	ExcludeSelf bool        // query i is text i: the diagonal carries no weight
	Normalize   bool        // cosine; else inner product
	Precision   torch.DType // Float32, or BFloat16 to round exactly as the published runs do
}

// Scores returns query · textᵀ [m, n] of pooled vectors queries [m, D] and texts [n, D].
func (o Similarity) Scores(s *torch.Scope, queries, texts torch.Tensor) torch.Tensor {
	return s.MatMul(o.unit(s, queries), s.Transpose(o.unit(s, texts), 0, 1))
}

// unit normalises; the published bf16 runs do so twice, in pooling and in the model's forward.
func (o Similarity) unit(s *torch.Scope, x torch.Tensor) torch.Tensor {
	x = s.To(x, o.Precision)
	if !o.Normalize {
		return x
	}
	if x = s.Normalize(x); o.Precision == torch.BFloat16 {
		x = s.Normalize(x)
	}
	return x
}

// Weights returns softmax(scores / temperature) over texts, [m, n], in fp32.
func (o Similarity) Weights(s *torch.Scope, scores torch.Tensor) torch.Tensor {
	scaled := s.Over(scores, o.Temperature)
	if o.ExcludeSelf {
		scaled = s.MaskedFill(scaled, s.Diagonal(s.Size(scores, 0)), math.Inf(-1))
	}
	return s.To(s.Softmax(scaled, -1), torch.Float32)
}

// Pairs picks the entries of weights [m, n] that are not zero: the pairs of sequences to attend, query by query, and their
// flat indices. A weight of exactly 0 adds nothing to the result or to any gradient.
func Pairs(weights []float32, queries, texts *Packed) (pairs []torch.Pair, index []int64) {
	n := texts.Len()
	for i := range queries.Len() {
		for j := range n {
			if weights[i*n+j] == 0 {
				continue
			}
			pairs = append(pairs, torch.Pair{Query: queries.Starts[i], QueryLen: queries.Lens[i], Key: texts.Starts[j], KeyLen: texts.Lens[j]})
			index = append(index, int64(i*n+j))
		}
	}
	return pairs, index
}

// LearningVectors tells whose vectors get a gradient through weights [m, n]: the m queries', then the n texts'. Where a query
// reads one text alone, its row of the softmax passes exactly 0.
func LearningVectors(weights []float32, m, n int) []bool {
	learning := make([]bool, m+n)
	for i := range m {
		row := weights[i*n : (i+1)*n]
		read := 0
		for _, w := range row {
			if w != 0 {
				read++
			}
		}
		if read < 2 {
			continue
		}
		learning[i] = true
		for j, w := range row {
			learning[m+j] = learning[m+j] || w != 0
		}
	}
	return learning
}
