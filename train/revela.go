package train

import (
	"fmt"
	"math"
	"slices"

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
	vectors := o.vectors(b, learns)
	defer vectors.Close()
	s := torch.NewScope()
	defer s.Close()
	w, err := o.weigh(s, vectors, b, learns)
	if err != nil {
		return Result{}, err
	}
	result := Result{Tokens: int(b.LMQueries.Tokens()), Entropy: entropy(w.values, b.Queries.Len())}
	if learns {
		vectors.Expect(w.learning)
	}
	var grad torch.Tensor
	if result.Loss, grad, err = o.languageModel(s, b, w, share); err != nil || !learns {
		return result, err
	}
	if grad.Defined() {
		grad = s.Grad([]torch.Tensor{w.weights}, []torch.Tensor{grad}, []torch.Tensor{w.pooled}, false)[0]
	}
	s.Fail(vectors.Backward(grad))
	if s.Err() != nil {
		return Result{}, fmt.Errorf("retriever: %w", s.Err())
	}
	return result, nil
}

// vectors sends the group's queries, then its texts, through the retriever.
func (o *Revela) vectors(b *Batch, learns bool) *model.Vectors {
	both := model.Join(b.Queries, b.Texts)
	return o.Models.Retriever.Vectors(both, model.VectorOptions{Learns: learns, Again: o.Recompute, Dropout: o.Dropout})
}

// weighed are the weights of a group.
type weighed struct {
	pooled   torch.Tensor // the vectors that they were made of [queries + texts, D], a leaf where they learn
	weights  torch.Tensor // [queries, texts]
	values   []float32    // of weights
	learning []bool       // the vectors that get a gradient; none where they do not learn
}

// weigh makes the weights of a group of its vectors.
func (o *Revela) weigh(s *torch.Scope, vectors *model.Vectors, b *Batch, learns bool) (w weighed, err error) {
	if err := vectors.Err(); err != nil {
		return w, fmt.Errorf("retriever: %w", err)
	}
	similarity := o.Similarity
	similarity.ExcludeSelf = similarity.ExcludeSelf && !b.OwnQueries
	m, n := int64(b.Queries.Len()), int64(b.Texts.Len())
	run := torch.NoGrad
	if w.pooled = vectors.Pooled; learns {
		w.pooled, run = s.Leaf(w.pooled), torch.WithGrad
	}
	run(func() {
		w.weights = similarity.Weights(s, similarity.Scores(s, s.Narrow(w.pooled, 0, 0, m), s.Narrow(w.pooled, 0, m, n)))
	})
	if w.values, err = readWeights(s, w.weights); err == nil && learns {
		w.learning = model.LearningVectors(w.values, int(m), int(n))
	}
	return w, err
}

// Sparsity tells what of a group takes part: the pairs of texts that carry weight, as the language model reads them, and
// which of the retriever's queries and texts get a gradient.
func (o *Revela) Sparsity(b *Batch) (pairs []torch.Pair, learning []bool, err error) {
	vectors := o.vectors(b, false)
	defer vectors.Close()
	s := torch.NewScope()
	defer s.Close()
	w, err := o.weigh(s, vectors, b, false)
	if err != nil {
		return nil, nil, err
	}
	pairs, _ = model.Pairs(w.values, b.LMQueries, b.LMTexts)
	return pairs, model.LearningVectors(w.values, b.Queries.Len(), b.Texts.Len()), nil
}

// languageModel runs the language model forward and backward. It returns its loss and, where the retriever learns from this
// group, the gradient of the weights [queries, texts], 0 where they are.
func (o *Revela) languageModel(s *torch.Scope, b *Batch, w weighed, share float64) (loss float64, grad torch.Tensor, err error) {
	pairs, at := model.Pairs(w.values, b.LMQueries, b.LMTexts)
	joint, err := o.joint(b, pairs)
	if err != nil {
		return 0, grad, err
	}
	c := model.NewChain()
	defer c.Close()
	c.Recompute, c.Random = o.Recompute, o.Dropout
	own := c.Scope()
	index := torch.From(own, at, int64(len(at)))
	c.Shared = own.Scale(own.IndexSelect(own.Reshape(own.Detach(w.weights), -1), 0, index), o.Scale)
	if c.SharedLearns = slices.Contains(w.learning, true); c.SharedLearns {
		c.Shared = own.Leaf(c.Shared)
	}
	value := o.Models.LM.JointLoss(c, joint)
	value = own.Detach(value) // is read last: a device computes backward meanwhile
	if shared := c.Backward(torch.From(own, []float32{float32(share)})); shared.Defined() {
		full := own.IndexAdd(own.Zeros(torch.Float32, int64(len(w.values))), 0, index, own.Scale(shared, o.Scale))
		grad = s.Own(own.Keep(own.Reshape(full, int64(b.Queries.Len()), int64(b.Texts.Len()))))
	}
	if c.Err() != nil {
		return 0, torch.Tensor{}, fmt.Errorf("language model: %w", c.Err())
	}
	loss, err = value.Float()
	return loss, grad, err
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
