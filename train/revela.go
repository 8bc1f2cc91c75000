package train

import (
	"fmt"
	"math"

	"revela/model"
	"revela/torch"
)

// Revela is the objective of arXiv 2506.16552: the language model predicts the tokens of each query while it reads the
// group's texts, weighted by the retriever's similarities.
type Revela struct {
	Models     Models
	Similarity model.Similarity // ExcludeSelf has no effect on groups with queries of their own
	Scale      float64          // of the in-batch term beside self-attention; the paper has 1
	ValueNorm  bool
	Detach     bool // no gradient through the texts' keys and values
	DualLoss   bool // add the loss of pass 1
	LMOnly     bool // the retriever's weights are fixed for now
	Recompute  bool // activation checkpointing
	Dropout    bool // LoRA's dropout is on
}

// Step implements [Objective].
func (o *Revela) Step(b *Batch, share float64) (Result, error) {
	learns := !o.LMOnly && len(model.Learning(model.AllParams(o.Models.Retriever))) > 0
	retriever := o.chain()
	defer retriever.Close()
	retriever.NoGrad = !learns
	weights := o.weights(retriever, b)

	s := retriever.Scope()
	values, err := readWeights(s, weights)
	if err != nil {
		return Result{}, err
	}
	pairs, at := model.Pairs(values, b.LMQueries, b.LMTexts)
	index := torch.From(s, at, int64(len(at)))
	lm := o.chain()
	defer lm.Close()
	lm.SharedLearns = learns
	lm.Shared = s.Scale(s.IndexSelect(s.Reshape(s.Detach(weights), -1), 0, index), o.Scale)
	if learns {
		lm.Shared = s.Leaf(lm.Shared)
	}
	result := Result{Tokens: int(b.LMQueries.Tokens()), Entropy: entropy(values, b.Queries.Len())}
	grad, err := o.languageModel(lm, b, pairs, share, &result.Loss)
	if err != nil {
		return Result{}, err
	}
	if learns && grad.Defined() {
		full := s.Zeros(torch.Float32, int64(len(values))) // d loss / d weights, 0 where the weight is
		full = s.IndexAdd(full, 0, index, s.Scale(grad, o.Scale))
		retriever.Backward(s.Reshape(full, int64(b.Queries.Len()), int64(b.Texts.Len())))
	}
	if retriever.Err() != nil {
		return Result{}, fmt.Errorf("retriever: %w", retriever.Err())
	}
	return result, nil
}

// languageModel runs the language model forward and backward, sets loss, and returns the gradient of the pairs' weights.
func (o *Revela) languageModel(c *model.Chain, b *Batch, pairs []torch.Pair, share float64, loss *float64) (torch.Tensor, error) {
	joint, err := o.joint(b, pairs)
	if err != nil {
		return torch.Tensor{}, err
	}
	value := o.Models.LM.JointLoss(c, joint)
	if c.Err() != nil {
		return torch.Tensor{}, fmt.Errorf("language model: %w", c.Err())
	}
	value = c.Scope().Detach(value) // is read last: a device computes backward meanwhile
	grad := c.Backward(torch.From(c.Scope(), []float32{float32(share)}))
	if c.Err() != nil {
		return torch.Tensor{}, fmt.Errorf("language model: %w", c.Err())
	}
	*loss, err = value.Float()
	return grad, err
}

func (o *Revela) chain() *model.Chain {
	c := model.NewChain()
	c.Recompute, c.Random = o.Recompute, o.Dropout
	return c
}

// weights runs the retriever on the group: w [queries, texts].
func (o *Revela) weights(c *model.Chain, b *Batch) torch.Tensor {
	pooled := o.Models.Retriever.Pooled(c, model.Join(b.Queries, b.Texts), o.Dropout)
	similarity := o.Similarity
	similarity.ExcludeSelf = similarity.ExcludeSelf && !b.OwnQueries
	return c.Stage(pooled, nil, func(s *torch.Scope, x torch.Tensor) torch.Tensor {
		m, n := int64(b.Queries.Len()), int64(b.Texts.Len())
		return similarity.Weights(s, similarity.Scores(s, s.Narrow(x, 0, 0, m), s.Narrow(x, 0, m, n)))
	})
}

func (o *Revela) joint(b *Batch, pairs []torch.Pair) (model.Joint, error) {
	j := model.Joint{Texts: b.LMTexts, Queries: b.LMQueries, Targets: b.Targets, Pairs: pairs, ValueNorm: o.ValueNorm,
		Detach: o.Detach, Train: o.Dropout}
	if o.DualLoss {
		if b.OwnQueries {
			return j, fmt.Errorf("dual_loss: the group has queries of its own; groups of texts alone expected")
		}
		j.Dual = b.Targets
	}
	return j, nil
}

func readWeights(s *torch.Scope, weights torch.Tensor) ([]float32, error) {
	if s.Err() != nil {
		return nil, fmt.Errorf("retriever: %w", s.Err())
	}
	values, err := torch.Read[float32](weights)
	if err != nil {
		return nil, err
	}
	for _, w := range values {
		if math.IsNaN(float64(w)) {
			return nil, fmt.Errorf("retriever: a weight is NaN; the retriever's vectors are not finite")
		}
	}
	return values, nil
}

// entropy is −Σ w ln w of a row of weights, mean over rows.
func entropy(weights []float32, rows int) float64 {
	sum := 0.0
	for _, w := range weights {
		if w > 0 {
			sum -= float64(w) * math.Log(float64(w))
		}
	}
	return sum / float64(rows)
}
