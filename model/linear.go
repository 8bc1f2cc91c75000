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
	switch {
	case l.LoRA == nil:
		return s.Linear(x, l.Weight.In(s), l.Bias.In(s))
	case train && l.LoRA.Dropout > 0 || l.Weight.Learns:
		return l.apart(s, x, train)
	case l.cheaperMerged():
		delta := s.Scale(s.MatMul(l.LoRA.B.In(s), l.LoRA.A.In(s)), l.LoRA.Scale) // [out, in]
		return s.Linear(x, s.Add(l.Weight.In(s), delta), l.Bias.In(s))
	}
	y := s.LoRALinear(x, l.Weight.In(s), l.LoRA.A.In(s), l.LoRA.B.In(s), l.LoRA.Scale)
	if l.Bias != nil {
		y = s.Add(y, l.Bias.In(s))
	}
	return y
}

// apart is Forward where LoRA reads its input through dropout, or the weight learns beside it.
func (l *Linear) apart(s *torch.Scope, x torch.Tensor, train bool) torch.Tensor {
	y := s.Linear(x, l.Weight.In(s), l.Bias.In(s))
	in := x
	if train {
		in = s.Dropout(x, l.LoRA.Dropout)
	}
	low := s.Linear(in, l.LoRA.A.In(s), torch.Tensor{}) // [T, rank]
	return s.Add(y, s.Linear(s.Scale(low, l.LoRA.Scale), l.LoRA.B.In(s), torch.Tensor{}))
}

// cheaperMerged reports whether products with W + scale·BA cost less than products with W, A and B apart. A token costs
// 6·in·out with the merged weight (forward, input gradient, weight gradient) and 4·in·out + 6·rank·(in + out) without.
// In bf16 the sum would round small updates away.
func (l *Linear) cheaperMerged() bool {
	out, in, rank := l.Weight.Shape[0], l.Weight.Shape[1], l.LoRA.A.Shape[0]
	return l.LoRA.A.compute == torch.Float32 && in*out < 3*rank*(in+out)
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
