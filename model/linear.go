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
	y := s.Linear(x, l.Weight.In(s), l.Bias.In(s))
	if l.LoRA == nil {
		return y
	}
	in := x
	if train {
		in = s.Dropout(x, l.LoRA.Dropout)
	}
	low := s.Linear(in, l.LoRA.A.In(s), torch.Tensor{}) // [T, rank]
	return s.Add(y, s.Linear(s.Scale(low, l.LoRA.Scale), l.LoRA.B.In(s), torch.Tensor{}))
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
