package model

import (
	"fmt"

	"revela/torch"
)

// Prepack lays the frozen weights of a network's linear layers out as the CPU's products read them, once instead of in every
// product, and drops them as they were. backward says that gradients will pass through the layers, which takes a second
// copy; it is worth that in panels, and in oneDNN's layout of fp32, where libtorch would multiply by BLAS. Prepack comes after adapters
// are added or merged, and changes results by rounding at most. Where the machine has no use for it, the network stays as it
// is.
func Prepack(b Network, backward bool) error {
	packed := false
	for _, l := range orderedLinears(b) {
		if l.Weight.Learns || l.LoRA != nil && l.cheaperMerged() {
			continue
		}
		if err := l.Weight.pack(backward); err != nil {
			return fmt.Errorf("pack weights: layer %s: %w", l.name, err)
		}
		packed = packed || l.Weight.prepacked
	}
	if packed && b.source() != nil { // what was read to pack it
		b.source().Forget()
	}
	return nil
}

func (p *Param) pack(backward bool) error {
	s := torch.NewScope()
	defer s.Close()
	var packed, back torch.Tensor
	lay := func(by func(w torch.Tensor, transposed bool) torch.Tensor) {
		if packed = by(p.Value, false); backward && packed.Defined() {
			back = by(p.Value, true)
		}
	}
	if backward {
		lay(s.Panels)
	}
	if !packed.Defined() && !(backward && p.compute == torch.BFloat16) {
		lay(s.PackWeight)
	}
	if s.Err() == nil && packed.Defined() {
		p.replace(s.Keep(packed), s.Keep(back), true)
	}
	return s.Err()
}
