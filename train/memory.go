package train

import (
	"revela/config"
	"revela/internal/machine"
	"revela/model"
	"revela/torch"
)

// recompute resolves train.activation_checkpointing: `auto` computes activations again in the backward pass where those
// of the largest group, beside gradients and moments, would take more than most of the memory that is free now, after
// loading.
func recompute(c *config.Config, m Models, compute torch.DType, learning int64) bool {
	switch c.Train.ActivationCheckpointing {
	case config.On:
		return true
	case config.Off:
		return false
	}
	const gradientsAndMoments = 3 * 4 // bytes of a parameter that learns
	free := available()*4/5 - learning*gradientsAndMoments
	size := int64(c.Data.GroupSize)
	lengths := c.Retriever.TrainMaxLength
	needed := activations(m.Retriever, size*int64(lengths.Query+lengths.Passage), compute)
	if m.LM != nil { // the retriever's are kept while the language model runs
		needed += activations(m.LM, size*int64(c.Data.MaxLength.Query+c.Data.MaxLength.Text), compute)
	}
	return needed > free
}

// available is the free memory of the device that tensors are made on, else of this machine.
func available() int64 {
	if memory, err := torch.ReadDeviceMemory(false); err == nil && torch.OnDevice() {
		return memory.Free
	}
	return machine.Read().Available
}

// activations estimates the bytes that a network keeps for its backward pass: what goes into and comes out of every linear
// layer, and as much of a weight that learns as its copy in the type of the products.
func activations(b model.Backbone, tokens int64, compute torch.DType) int64 {
	var total int64
	for _, l := range b.Linears() {
		out, in, width := l.Weight.Shape[0], l.Weight.Shape[1], int64(compute.Size())
		total += tokens * (in + out) * width
		if l.Weight.Learns && compute != torch.Float32 {
			total += in * out * width
		}
	}
	return total
}
