package tokenizer

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
)

const (
	cacheSlots   = 1 << 16
	cacheMaxWord = 64 // bytes; longer words are rare and would make the cache large
)

// wordCache remembers the ids of words. It is a table with one word a slot: a word that falls on a used slot takes
// it over, so memory is bounded (about 20 MB when full of long words) and readers never wait. Safe for concurrent use.
type wordCache struct {
	seed  maphash.Seed
	slots []atomic.Pointer[cachedWord]
}

// cachedWord is never changed once it is in the table.
type cachedWord struct {
	text string
	ids  []int32
}

func newWordCache() *wordCache {
	return &wordCache{seed: maphash.MakeSeed(), slots: make([]atomic.Pointer[cachedWord], cacheSlots)}
}

// slot returns the place of a word, nil for a word that is not cached.
func (c *wordCache) slot(word string) *atomic.Pointer[cachedWord] {
	if len(word) > cacheMaxWord {
		return nil
	}
	return &c.slots[maphash.String(c.seed, word)%cacheSlots]
}

// append appends the ids of word, computed by encode if they are not in the table.
func (c *wordCache) append(dst []int32, word string, encode func(dst []int32, word string) []int32) []int32 {
	slot := c.slot(word)
	if slot == nil {
		return encode(dst, word)
	}
	if found := slot.Load(); found != nil && found.text == word {
		return append(dst, found.ids...)
	}
	before := len(dst)
	dst = encode(dst, word)
	slot.Store(&cachedWord{strings.Clone(word), append([]int32(nil), dst[before:]...)})
	return dst
}
