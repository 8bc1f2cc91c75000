// Package permute gives orders that are pure functions of a key: the same key gives the same
// order on every machine, with every Go version, at any position, without state.
package permute

import "math/bits"

// Key mixes values such as a seed, an epoch and a number into one.
func Key(values ...uint64) uint64 {
	key := uint64(0x9e3779b97f4a7c15)
	for _, v := range values {
		key = mix(key ^ mix(v))
	}
	return key
}

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood 2014) after its increment.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Permutation is an order of the numbers 0…n−1 with random access in constant time and memory:
// a Feistel network over the next power of four, walked until it lands below n.
type Permutation struct {
	n    uint64
	half uint   // bits in each half
	mask uint64 // of a half
	keys [6]uint64
}

// New returns the permutation of n numbers that belongs to key. n must be positive.
func New(n int, key uint64) Permutation {
	width := uint(bits.Len64(uint64(n - 1)))
	p := Permutation{n: uint64(n), half: max(1, (width+1)/2)}
	p.mask = 1<<p.half - 1
	for i := range p.keys {
		p.keys[i] = Key(key, uint64(i))
	}
	return p
}

// At returns the number at place i of the order, 0 ≤ i < n.
func (p Permutation) At(i int) int {
	x := uint64(i)
	for {
		if x = p.encrypt(x); x < p.n {
			return int(x)
		}
	}
}

func (p Permutation) encrypt(x uint64) uint64 {
	left, right := x>>p.half, x&p.mask
	for _, key := range p.keys {
		left, right = right, left^mix(right^key)&p.mask
	}
	return left<<p.half | right
}

// Shuffle puts list into the order that belongs to key (Fisher and Yates, from the end).
func Shuffle[T any](list []T, key uint64) {
	for i := len(list) - 1; i > 0; i-- {
		j := below(Key(key, uint64(i)), uint64(i+1))
		list[i], list[j] = list[j], list[i]
	}
}

// below maps 64 random bits to 0…n−1; for the lengths in use its bias is below 2⁻³².
func below(random, n uint64) uint64 {
	high, _ := bits.Mul64(random, n)
	return high
}
