package train

import (
	"fmt"

	"revela/model"
	"revela/torch"
)

// InfoNCE is the contrastive objective over groups with queries of their own (van den Oord et al. 2018; sentence-transformers'
// MultipleNegativesRankingLoss): text i belongs to query i, every other text of the group is a negative.
type InfoNCE struct {
	Models     Models
	Similarity model.Similarity
	Recompute  bool // activation checkpointing
	Dropout    bool // LoRA's dropout is on
}

// Step implements [Objective].
func (o *InfoNCE) Step(b *Batch, share float64) (Result, error) {
	if !b.OwnQueries {
		return Result{}, fmt.Errorf("infonce: the group has no queries of its own; {\"query\": […], \"text\": […]} expected")
	}
	c := model.NewChain()
	defer c.Close()
	c.Recompute, c.Random = o.Recompute, o.Dropout
	m, n := int64(b.Queries.Len()), int64(b.Texts.Len())
	pooled := o.Models.Retriever.Pooled(c, model.Join(b.Queries, b.Texts), o.Dropout)
	var weights torch.Tensor
	loss := c.Stage(pooled, nil, func(s *torch.Scope, x torch.Tensor) torch.Tensor {
		loss, softmax := o.contrast(s, s.Narrow(x, 0, 0, m), s.Narrow(x, 0, m, n))
		weights = c.Scope().Own(s.Keep(softmax))
		return loss
	})
	if c.Err() != nil {
		return Result{}, fmt.Errorf("retriever: %w", c.Err())
	}
	values, err := readWeights(c.Scope(), weights)
	if err != nil {
		return Result{}, err
	}
	result := Result{Tokens: int(b.Queries.Tokens() + b.Texts.Tokens()), Entropy: entropy(values, int(min(m, n)))}
	loss = c.Scope().Detach(loss) // is read last: a device computes backward meanwhile
	c.Backward(torch.From(c.Scope(), []float32{float32(share)}))
	if c.Err() != nil {
		return Result{}, fmt.Errorf("retriever: %w", c.Err())
	}
	result.Loss, err = loss.Float()
	return result, err
}

// contrast returns the loss of pooled queries [m, D] and texts [n, D], and the softmax of the scores [min(m, n), n]. Queries
// without a text of their own take no part.
func (o *InfoNCE) contrast(s *torch.Scope, queries, texts torch.Tensor) (loss, softmax torch.Tensor) {
	pairs := min(s.Size(queries, 0), s.Size(texts, 0))
	labels := make([]int64, pairs)
	for i := range labels {
		labels[i] = int64(i)
	}
	scores := o.Similarity.Scores(s, s.Narrow(queries, 0, 0, pairs), texts)
	scaled := s.To(s.Over(scores, o.Similarity.Temperature), torch.Float32)
	return s.CrossEntropy(scaled, torch.From(s, labels, pairs)), s.Softmax(s.Detach(scaled), -1)
}
