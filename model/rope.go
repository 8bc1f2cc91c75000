package model

import (
	"fmt"
	"math"

	"revela/model/checkpoint"
	"revela/torch"
)

// rope is a rotary position embedding.
type rope struct {
	frequencies []float32 // [Dh/2]
}

// newRope mirrors transformers' ROPE_INIT_FUNCTIONS for the types default, linear and llama3.
func newRope(c *checkpoint.Config, theta float64) (*rope, error) {
	half := c.HeadDim / 2
	f := make([]float32, half)
	for i := range f {
		f[i] = float32(1 / math.Pow(theta, float64(2*i)/float64(c.HeadDim)))
	}
	if c.RopeScaling != nil {
		if err := scaleFrequencies(f, c.RopeScaling); err != nil {
			return nil, fmt.Errorf("%s: %w", c.File, err)
		}
	}
	return &rope{frequencies: f}, nil
}

func scaleFrequencies(f []float32, r *checkpoint.RopeScaling) error {
	switch r.Type {
	case "default", "":
	case "linear":
		for i := range f {
			f[i] /= float32(r.Factor)
		}
	case "llama3":
		for i := range f {
			f[i] = llama3Frequency(float64(f[i]), r)
		}
	default:
		return fmt.Errorf("rope type %q found; default, linear or llama3 expected", r.Type)
	}
	return nil
}

// llama3Frequency keeps short wavelengths, divides long ones by the factor, and blends in between.
func llama3Frequency(f float64, r *checkpoint.RopeScaling) float32 {
	original := float64(r.OriginalMaxPositionEmbeddings)
	wavelength := 2 * math.Pi / f
	switch {
	case wavelength < original/r.HighFreqFactor:
		return float32(f)
	case wavelength > original/r.LowFreqFactor:
		return float32(f / r.Factor)
	}
	smooth := (original/wavelength - r.LowFreqFactor) / (r.HighFreqFactor - r.LowFreqFactor)
	return float32((1-smooth)*f/r.Factor + smooth*f)
}

// tables returns cosines and sines [T, Dh/2] of packed positions.
func (r *rope) tables(s *torch.Scope, positions []int64) (cos, sin torch.Tensor) {
	half := len(r.frequencies)
	var longest int64
	for _, p := range positions {
		longest = max(longest, p+1)
	}
	c, n := make([]float32, int(longest)*half), make([]float32, int(longest)*half)
	for i := range c {
		angle := float64(r.frequencies[i%half] * float32(i/half)) // the product in fp32, as transformers
		c[i], n[i] = float32(math.Cos(angle)), float32(math.Sin(angle))
	}
	index := torch.From(s, positions, int64(len(positions)))
	of := func(table []float32) torch.Tensor {
		return s.IndexSelect(torch.From(s, table, longest, int64(half)), 0, index)
	}
	return of(c), of(n)
}
