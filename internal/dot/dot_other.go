//go:build !amd64

package dot

func sum(a []float64, b []float32) float64 { return plain(a, b) }
