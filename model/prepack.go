package model

import (
	"fmt"

	"revela/torch"
)

// Prepack lays the frozen weights of a network's linear layers out as the CPU's products read them, once instead of in every
// product, and drops them as they were. backward says that gradients will pass through the layers, which takes a second
// copy; it is worth that in fp32, where libtorch would multiply by BLAS, and in panels of bf16. Prepack comes after adapters
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
	lay := s.PackWeight
	if backward && p.compute == torch.BFloat16 {
		lay = s.Panels
	}
	packed, back := lay(p.Value, false), torch.Tensor{}
	if backward && packed.Defined() {
		back = lay(p.Value, true)
	}
	if s.Err() == nil && packed.Defined() {
		p.replace(s.Keep(packed), s.Keep(back), true)
	}
	return s.Err()
}
