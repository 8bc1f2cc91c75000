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
	pairs := min(m, n)
	labels := make([]int64, pairs)
	for i := range labels {
		labels[i] = int64(i)
	}
	pooled := o.Models.Retriever.Pooled(c, model.Join(b.Queries, b.Texts), o.Dropout)
	var weights torch.Tensor
	loss := c.Stage(pooled, nil, func(s *torch.Scope, x torch.Tensor) torch.Tensor {
		scores := o.Similarity.Scores(s, s.Narrow(x, 0, 0, pairs), s.Narrow(x, 0, m, n))
		scaled := s.To(s.Over(scores, o.Similarity.Temperature), torch.Float32)
		weights = c.Scope().Own(s.Keep(s.Softmax(s.Detach(scaled), -1)))
		return s.CrossEntropy(scaled, torch.From(s, labels, pairs))
	})
	if c.Err() != nil {
		return Result{}, fmt.Errorf("retriever: %w", c.Err())
	}
	values, err := readWeights(c.Scope(), weights)
	if err != nil {
		return Result{}, err
	}
	result := Result{Tokens: int(b.Queries.Tokens() + b.Texts.Tokens()), Entropy: entropy(values, int(pairs))}
	if result.Loss, err = loss.Float(); err != nil {
		return Result{}, err
	}
	c.Backward(torch.From(c.Scope(), []float32{float32(share)}))
	if c.Err() != nil {
		return Result{}, fmt.Errorf("retriever: %w", c.Err())
	}
	return result, nil
}
