// Package dot computes inner products that do not depend on the machine: products of float32 are exact in float64, and
// their sum has one order everywhere, with vector instructions or without.
package dot

// lanes is the number of partial sums: term i goes to sum i mod 16, those of a last part of fewer terms to the total.
const lanes = 16

// Product returns Σ a_i b_i over len(b) terms, summed in float64. a must hold values that float32 can represent, so that
// a product is exact and a fused multiply-add rounds as a sum does.
func Product(a []float64, b []float32) float64 {
	a = a[:len(b)]
	whole := len(b) / lanes * lanes
	total := 0.0
	if whole > 0 {
		total = sum(a[:whole], b[:whole])
	}
	for i := whole; i < len(b); i++ {
		total += a[i] * float64(b[i])
	}
	return total
}

// plain is sum in Go. len(b) is a multiple of lanes.
func plain(a []float64, b []float32) float64 {
	var s [lanes]float64
	for i := 0; i+lanes <= len(b); i += lanes {
		x, y := a[i:i+lanes], b[i:i+lanes]
		for j := range s {
			s[j] += x[j] * float64(y[j])
		}
	}
	var v [4]float64
	for j := range v {
		v[j] = (s[j] + s[4+j]) + (s[8+j] + s[12+j])
	}
	return (v[0] + v[2]) + (v[1] + v[3])
}
