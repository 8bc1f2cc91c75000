package tokenizer

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

const metaspaceRune = '▁' // U+2581, the blank of SentencePiece

// bpe is BPE. With byteLevel, words are bytes and the vocabulary holds bytes too; else words are characters.
type bpe struct {
	vocab     map[string]int32
	merges    *mergeTable
	byteLevel bool
	bytes     [256]int32     // byteLevel: the id of a byte, -1 for none
	chars     map[rune]int32 // not byteLevel: the id of a character
	fallback  [256]int32     // byte_fallback: the id of <0xNN>, -1 for none

	unknown                      int32 // id of unk_token, -1 for none
	fuseUnknown, byteFallback    bool
	ignoreMerges, cutAtMetaspace bool
	cache                        *wordCache
}

// bpeOptions are the entries of the file's model besides vocabulary and merges.
type bpeOptions struct {
	UnkToken     *string `json:"unk_token"`
	FuseUnk      bool    `json:"fuse_unk"`
	ByteFallback bool    `json:"byte_fallback"`
	IgnoreMerges bool    `json:"ignore_merges"`
}

func newBPE(vocab map[string]int32, merges [][2]string, options bpeOptions, byteLevel bool) (*bpe, error) {
	m := &bpe{
		vocab: vocab, byteLevel: byteLevel, unknown: -1, cache: newWordCache(),
		fuseUnknown: options.FuseUnk, byteFallback: options.ByteFallback, ignoreMerges: options.IgnoreMerges,
	}
	if options.UnkToken != nil {
		id, ok := vocab[*options.UnkToken]
		if !ok {
			return nil, fmt.Errorf("unk_token %q is not in the vocabulary", *options.UnkToken)
		}
		m.unknown = id
	}
	var err error
	if m.merges, err = newMergeTable(vocab, merges); err != nil {
		return nil, err
	}
	for b := range m.fallback {
		m.fallback[b] = lookup(vocab, fmt.Sprintf("<0x%02X>", b))
	}
	if byteLevel {
		return m, m.indexBytes()
	}
	m.indexChars()
	m.cutAtMetaspace = !m.ignoreMerges && m.chars[metaspaceRune] >= 0 && !crossesMetaspace(merges)
	return m, nil
}

func lookup(vocab map[string]int32, token string) int32 {
	if id, ok := vocab[token]; ok {
		return id
	}
	return -1
}

// indexBytes turns the vocabulary into bytes. Tokens with characters outside ByteLevel's alphabet are left out:
// no text can give them.
func (m *bpe) indexBytes() error {
	raw := make(map[string]int32, len(m.vocab))
	for token, id := range m.vocab {
		if b, ok := bytesOf(token); ok {
			raw[string(b)] = id
		}
	}
	for b := range m.bytes {
		m.bytes[b] = lookup(raw, string([]byte{byte(b)}))
		if m.bytes[b] < 0 && m.byteFallback {
			return fmt.Errorf("byte_fallback with ByteLevel is not supported: the vocabulary lacks %q", byteChars[b])
		}
	}
	m.vocab = raw
	return nil
}

func (m *bpe) indexChars() {
	m.chars = map[rune]int32{metaspaceRune: -1}
	for token, id := range m.vocab {
		if r, width := utf8.DecodeRuneInString(token); width > 0 && width == len(token) {
			m.chars[r] = id
		}
	}
}

// crossesMetaspace tells whether a merge joins something before a ▁ to it. Where none does, words can be cut before
// every ▁ that follows another character without changing any id, which makes the word cache useful for Llama 2.
func crossesMetaspace(merges [][2]string) bool {
	for _, pair := range merges {
		last, _ := utf8.DecodeLastRuneInString(pair[0])
		first, _ := utf8.DecodeRuneInString(pair[1])
		if last != metaspaceRune && first == metaspaceRune {
			return true
		}
	}
	return false
}

func (m *bpe) appendIDs(dst []int32, word string) []int32 {
	if m.ignoreMerges {
		if id, ok := m.vocab[word]; ok {
			return append(dst, id)
		}
	}
	if !m.cutAtMetaspace {
		return m.cache.append(dst, word, m.encode)
	}
	for len(word) > 0 {
		n := metaspaceWord(word)
		dst = m.cache.append(dst, word[:n], m.encode)
		word = word[n:]
	}
	return dst
}

// metaspaceWord returns the length of the first word of s: any number of ▁ and what follows up to the next ▁.
func metaspaceWord(s string) int {
	const blank = string(metaspaceRune)
	n := 0
	for strings.HasPrefix(s[n:], blank) {
		n += len(blank)
	}
	if next := strings.Index(s[n:], blank); next >= 0 {
		return n + next
	}
	return len(s)
}

// encode splits a word into its characters and merges them.
func (m *bpe) encode(dst []int32, word string) []int32 {
	before := len(dst)
	if m.byteLevel {
		dst = m.appendBytes(dst, word)
	} else {
		dst = m.appendChars(dst, word)
	}
	return dst[:before+len(m.merges.merge(dst[before:]))]
}

func (m *bpe) appendBytes(dst []int32, word string) []int32 {
	unknowns := unknownRun{model: m}
	for i := 0; i < len(word); i++ {
		if id := m.bytes[word[i]]; id >= 0 {
			dst = append(unknowns.flush(dst), id)
		} else {
			dst = unknowns.add(dst)
		}
	}
	return unknowns.flush(dst)
}

func (m *bpe) appendChars(dst []int32, word string) []int32 {
	unknowns := unknownRun{model: m}
	for i, r := range word {
		if id, ok := m.chars[r]; ok && id >= 0 {
			dst = append(unknowns.flush(dst), id)
			continue
		}
		if m.byteFallback {
			if out, ok := m.appendFallback(dst, word[i:i+utf8.RuneLen(r)]); ok {
				dst = out // as in HF, an unknown before it is still held back
				continue
			}
		}
		dst = unknowns.add(dst)
	}
	return unknowns.flush(dst)
}

// appendFallback appends the tokens <0xNN> of a character unless the vocabulary lacks one of them.
func (m *bpe) appendFallback(dst []int32, char string) ([]int32, bool) {
	for i := 0; i < len(char); i++ {
		if m.fallback[char[i]] < 0 {
			return dst, false
		}
	}
	for i := 0; i < len(char); i++ {
		dst = append(dst, m.fallback[char[i]])
	}
	return dst, true
}

// unknownRun holds back one unk_token, so that a run of unknown characters can be fused into it. Without an
// unk_token unknown characters vanish, as in HF.
type unknownRun struct {
	model   *bpe
	pending bool
}

func (u *unknownRun) add(dst []int32) []int32 {
	if u.model.unknown < 0 {
		return dst
	}
	if u.pending && !u.model.fuseUnknown {
		dst = append(dst, u.model.unknown)
	}
	u.pending = true
	return dst
}

func (u *unknownRun) flush(dst []int32) []int32 {
	if u.pending {
		u.pending = false
		dst = append(dst, u.model.unknown)
	}
	return dst
}
