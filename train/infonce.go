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
	both := model.Join(b.Queries, b.Texts)
	vectors := o.Models.Retriever.Vectors(both, model.VectorOptions{Learns: true, Again: o.Recompute, Dropout: o.Dropout})
	defer vectors.Close()
	if err := vectors.Err(); err != nil {
		return Result{}, fmt.Errorf("retriever: %w", err)
	}
	s := torch.NewScope()
	defer s.Close()
	m, n := int64(b.Queries.Len()), int64(b.Texts.Len())
	pooled := s.Leaf(vectors.Pooled)
	var loss, weights torch.Tensor
	torch.WithGrad(func() { loss, weights = o.contrast(s, s.Narrow(pooled, 0, 0, m), s.Narrow(pooled, 0, m, n)) })
	values, err := readWeights(s, weights)
	if err != nil {
		return Result{}, err
	}
	result := Result{Tokens: int(both.Tokens()), Entropy: entropy(values, int(min(m, n)))}
	grad := s.Grad([]torch.Tensor{loss}, []torch.Tensor{torch.From(s, []float32{float32(share)})}, []torch.Tensor{pooled}, false)[0]
	loss = s.Detach(loss) // is read last: a device computes backward meanwhile
	s.Fail(vectors.Backward(grad))
	if s.Err() != nil {
		return Result{}, fmt.Errorf("retriever: %w", s.Err())
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
