package prepare

import (
	"math/bits"
	"slices"
	"strings"
)

// Near-duplicates are texts whose sets of runs of five words overlap by 80 % (Jaccard). Candidates are found by MinHash
// (Broder 1997) in bands: at that overlap 97 % of pairs are found, below 50 % less than 2 % are looked at in vain. A
// candidate's overlap is then counted, so that nothing is removed by chance.
const (
	shingleWords = 5
	minJaccard   = 0.8
	bands        = 12
	rowsOfBand   = 6
	hashesOfUnit = bands * rowsOfBand
)

// signature is what is compared first: a hash of each band.
type signature [bands]uint64

// shingles returns the hashes of a text's runs of words, sorted and each once; of a shorter text its one run.
func shingles(text string) []uint64 {
	words := strings.Fields(folded(text))
	var list []uint64
	for at := 0; at == 0 || at+shingleWords <= len(words); at++ {
		hash := uint64(14695981039346656037)
		for _, word := range words[at:min(len(words), at+shingleWords)] {
			hash = mix(hash ^ hashWord(word))
		}
		list = append(list, hash)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// hashWord is FNV-1a.
func hashWord(word string) uint64 {
	hash := uint64(14695981039346656037)
	for i := range len(word) {
		hash = (hash ^ uint64(word[i])) * 1099511628211
	}
	return hash
}

// mix is the finaliser of SplitMix64.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// factors are the odd multipliers of the hash functions, one a row of a band.
var factors = func() (list [hashesOfUnit]uint64) {
	for i := range list {
		list[i] = mix(uint64(i+1)*0x9e3779b97f4a7c15) | 1
	}
	return list
}()

func newSignature(list []uint64) *signature {
	var least [hashesOfUnit]uint64
	for i := range least {
		least[i] = ^uint64(0)
	}
	for _, x := range list {
		for i, factor := range factors {
			high, low := bits.Mul64(x, factor)
			least[i] = min(least[i], high^low)
		}
	}
	var s signature
	for band := range s {
		hash := uint64(band + 1)
		for _, value := range least[band*rowsOfBand : (band+1)*rowsOfBand] {
			hash = mix(hash ^ value)
		}
		s[band] = hash
	}
	return &s
}

// overlap is the Jaccard similarity of two sorted lists.
func overlap(a, b []uint64) float64 {
	common, i, j := 0, 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case a[i] < b[j]:
			i++
		case a[i] > b[j]:
			j++
		default:
			common, i, j = common+1, i+1, j+1
		}
	}
	return float64(common) / float64(len(a)+len(b)-common)
}

// nearTable finds the units that share a band with another one: 8 bytes a band, at most three quarters full.
type nearTable struct {
	entries []nearEntry // open addressing, a power of two long
	used    int
}

// nearEntry is a unit under a part of its band's hash.
type nearEntry struct {
	hash uint32
	unit int32 // its number plus one; 0 for an empty entry
}

// maxCandidates bounds the work for one text; texts of more are near-duplicates of one of the first.
const maxCandidates = 64

// candidates returns the units that share a band, each once, in the order of the inputs, at most maxCandidates.
func (t *nearTable) candidates(s *signature) []int {
	if len(t.entries) == 0 {
		return nil
	}
	var units []int
	mask := uint64(len(t.entries) - 1)
	for _, hash := range s {
		short := uint32(hash >> 32)
		for at := mix(uint64(short)) & mask; t.entries[at].unit != 0; at = (at + 1) & mask {
			if unit := int(t.entries[at].unit - 1); t.entries[at].hash == short && !slices.Contains(units, unit) {
				if units = append(units, unit); len(units) == maxCandidates {
					return units
				}
			}
		}
	}
	slices.Sort(units)
	return units
}

// add remembers a unit.
func (t *nearTable) add(s *signature, unit int) {
	if (t.used+bands)*4 > len(t.entries)*3 {
		t.grow()
	}
	for _, hash := range s {
		t.insert(nearEntry{uint32(hash >> 32), int32(unit + 1)})
	}
}

func (t *nearTable) insert(e nearEntry) {
	mask := uint64(len(t.entries) - 1)
	at := mix(uint64(e.hash)) & mask
	for t.entries[at].unit != 0 {
		at = (at + 1) & mask
	}
	t.entries[at] = e
	t.used++
}

func (t *nearTable) grow() {
	old := t.entries
	t.entries, t.used = make([]nearEntry, max(1024, 2*len(old))), 0
	for _, e := range old {
		if e.unit != 0 {
			t.insert(e)
		}
	}
}
