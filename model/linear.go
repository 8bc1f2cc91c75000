package model

import "revela/torch"

// Linear is x Wᵀ + b, with LoRA beside it where LoRA is not nil.
type Linear struct {
	Weight *Param // [out, in]
	Bias   *Param // [out], or nil
	LoRA   *LoRA
}

// LoRA is the low-rank update scale · B A of a frozen weight (Hu et al. 2021, arXiv 2106.09685; PEFT's LoraLayer).
type LoRA struct {
	A, B    *Param  // [rank, in], [out, rank]
	Scale   float64 // alpha / rank
	Dropout float64 // of the input, in training
}

// Forward maps x [T, in] to [T, out]. train switches LoRA's dropout on.
func (l *Linear) Forward(s *torch.Scope, x torch.Tensor, train bool) torch.Tensor {
	return l.Onto(s, torch.Tensor{}, x, train)
}

// Activated is f(Forward(x)).
func (l *Linear) Activated(s *torch.Scope, x torch.Tensor, f torch.Activation, train bool) torch.Tensor {
	return s.Activated(x, l.projection(s, train), f)
}

// Onto is residual + Forward(x); no residual stands for 0.
func (l *Linear) Onto(s *torch.Scope, residual, x torch.Tensor, train bool) torch.Tensor {
	return s.Project(residual, x, l.projection(s, train))
}

// projection is the layer as operations take it.
func (l *Linear) projection(s *torch.Scope, train bool) torch.Projection {
	p := torch.Projection{Weight: l.Weight.In(s), Bias: l.Bias.In(s), Back: l.Weight.back}
	switch drops := train && l.LoRA != nil && l.LoRA.Dropout > 0; {
	case l.LoRA == nil:
	case !drops && l.cheaperMerged():
		delta := s.Scale(s.MatMul(l.LoRA.B.In(s), l.LoRA.A.In(s)), l.LoRA.Scale) // [out, in]
		p.Weight = s.Add(p.Weight, delta)
	default:
		p.A, p.B, p.Scale = l.LoRA.A.Value, l.LoRA.B.Value, l.LoRA.Scale
		p.CastA, p.CastB = l.LoRA.A.castNow(), l.LoRA.B.castNow()
		if drops {
			p.Dropout = l.LoRA.Dropout
		}
	}
	return p
}

// cheaperMerged reports whether products with W + scale·BA cost less than products with W, A and B apart. A token costs
// 6·in·out with the merged weight (forward, input gradient, weight gradient) and 4·in·out + 6·rank·(in + out) without.
// In bf16 the sum would round small updates away; to a packed weight nothing can be added.
func (l *Linear) cheaperMerged() bool {
	out, in, rank := l.Weight.Shape[0], l.Weight.Shape[1], l.LoRA.A.Shape[0]
	return l.LoRA.A.compute == torch.Float32 && !l.Weight.prepacked && in*out < 3*rank*(in+out)
}

// params lists the layer's parameters.
func (l *Linear) params() []*Param {
	list := []*Param{l.Weight}
	if l.Bias != nil {
		list = append(list, l.Bias)
	}
	if l.LoRA != nil {
		list = append(list, l.LoRA.A, l.LoRA.B)
	}
	return list
}
