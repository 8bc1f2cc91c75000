package permute

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

func TestPermutationIsABijection(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5, 16, 17, 1000, 4097} {
		for key := range uint64(3) {
			p := New(n, key)
			seen := make([]bool, n)
			for i := range n {
				at := p.At(i)
				if at < 0 || at >= n || seen[at] {
					t.Fatalf("n=%d key=%d: place %d holds %d, out of range or twice", n, key, i, at)
				}
				seen[at] = true
			}
		}
	}
}

// The values are frozen: a change would move every position in a run that is being resumed.
func TestOrdersAreFrozen(t *testing.T) {
	p := New(10, Key(42, 0))
	var order []int
	for i := range 10 {
		order = append(order, p.At(i))
	}
	list := []int{0, 1, 2, 3, 4, 5, 6, 7}
	Shuffle(list, Key(42, 1))
	got := fmt.Sprint(order, list)
	if want := "[3 4 0 1 7 2 8 6 9 5] [0 1 5 7 6 3 4 2]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Every number must come to every place about equally often.
func TestOrdersAreEven(t *testing.T) {
	const n, rounds = 8, 8000
	var permuted, shuffled [n][n]int
	for key := range uint64(rounds) {
		p := New(n, key)
		list := []int{0, 1, 2, 3, 4, 5, 6, 7}
		Shuffle(list, key)
		for i := range n {
			permuted[i][p.At(i)]++
			shuffled[i][list[i]]++
		}
	}
	for i := range n {
		for j := range n {
			for name, count := range map[string]int{"permutation": permuted[i][j], "shuffle": shuffled[i][j]} {
				if math.Abs(float64(count)-rounds/n) > 150 { // 5 standard deviations
					t.Errorf("%s: number %d stands %d times at place %d, expected about %d", name, j, count, i, rounds/n)
				}
			}
		}
	}
}

func TestKeysDiffer(t *testing.T) {
	var keys []uint64
	for seed := range uint64(50) {
		for epoch := range uint64(50) {
			keys = append(keys, Key(seed, epoch))
		}
	}
	slices.Sort(keys)
	if unique := len(slices.Compact(keys)); unique != 2500 {
		t.Errorf("2500 pairs of seed and epoch give %d keys", unique)
	}
}
