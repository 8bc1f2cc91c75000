package prepare

import (
	"encoding/binary"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Two packages or folders are near copies when a quarter of the texts of one, and at least two, share more than
// 60 % of their lines with the other.
const (
	minCopiedShare = 0.25
	minCopiedTexts = 2
)

// families joins keys that must be held out together because they are near copies of each other: bytes and strings,
// crypto/aes and crypto/internal/fips140/aes. Otherwise a training text would give a held-out one away.
type families struct {
	parent map[string]string
	texts  []lineText
	keysOf map[uint64][]int32 // hash of a line → numbers of the keys whose texts hold it
	number map[string]int32
	names  []string
}

// lineText is a text as hashes of its lines.
type lineText struct {
	key   int32
	lines []uint64
}

func newFamilies() *families {
	return &families{parent: map[string]string{}, keysOf: map[uint64][]int32{}, number: map[string]int32{}}
}

// of names a key's family: the first of its members in alphabetical order.
func (f *families) of(key string) string {
	for {
		parent, found := f.parent[key]
		if !found {
			return key
		}
		key = parent
	}
}

func (f *families) join(a, b string) {
	a, b = f.of(a), f.of(b)
	if a > b {
		a, b = b, a
	}
	if a != b {
		f.parent[b] = a
	}
}

// add takes note of one text of a key.
func (f *families) add(key, text string) {
	number, found := f.number[key]
	if !found {
		number = int32(len(f.names))
		f.number[key] = number
		f.names = append(f.names, key)
	}
	entry := lineText{key: number}
	for _, line := range contentLines(text) {
		hash := digestOf(line)
		short := binary.LittleEndian.Uint64(hash[:])
		entry.lines = append(entry.lines, short)
		if keys := f.keysOf[short]; !slices.Contains(keys, number) {
			f.keysOf[short] = append(keys, number)
		}
	}
	f.texts = append(f.texts, entry)
}

// joinCopies joins the keys that are near copies, and forgets the texts.
func (f *families) joinCopies() {
	total := make([]int, len(f.names))
	copied := map[[2]int32]int{} // {key, other} → the key's texts that the other has too
	for _, text := range f.texts {
		total[text.key]++
		for _, other := range f.copiedFrom(text) {
			copied[[2]int32{text.key, other}]++
		}
	}
	for pair, n := range copied {
		if n >= minCopiedTexts && float64(n) >= minCopiedShare*float64(total[pair[0]]) {
			f.join(f.names[pair[0]], f.names[pair[1]])
		}
	}
	f.texts, f.keysOf = nil, nil
}

// copiedFrom returns the other keys that hold more than 60 % of a text's lines.
func (f *families) copiedFrom(text lineText) []int32 {
	shared := map[int32]int{}
	for _, line := range text.lines {
		for _, key := range f.keysOf[line] {
			shared[key]++
		}
	}
	var others []int32
	for key, n := range shared {
		if key != text.key && float64(n) > maxSharedLines*float64(len(text.lines)) {
			others = append(others, key)
		}
	}
	return others
}

var majorVersion = regexp.MustCompile(`^v[0-9]+$`)

// namesake is what packages of the same first and last element have in common, versions aside: they are held out
// together too, since crypto/internal/fips140/aes is what crypto/aes was, and math/rand/v2 repeats math/rand.
// Where the first element is a host, the first three stand for it.
func namesake(importPath string) string {
	elements := strings.Split(importPath, "/")
	first := 1
	if strings.Contains(elements[0], ".") {
		first = min(3, len(elements))
	}
	last := len(elements) - 1
	if last >= first && majorVersion.MatchString(elements[last]) {
		last--
	}
	module := path.Join(elements[:first]...)
	if last < first {
		return module
	}
	return path.Join(module, elements[last])
}
