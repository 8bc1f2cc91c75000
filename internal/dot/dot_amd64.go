package dot

import "golang.org/x/sys/cpu"

// vectorised is sum with AVX2 and FMA; len(b) is a positive multiple of lanes.
//
//go:noescape
func vectorised(a []float64, b []float32) float64

var hasFMA = cpu.X86.HasAVX2 && cpu.X86.HasFMA

func sum(a []float64, b []float32) float64 {
	if hasFMA {
		return vectorised(a, b)
	}
	return plain(a, b)
}
