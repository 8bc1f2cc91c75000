package tokenizer

import (
	"strings"
	"sync"
)

// Tokenizer is a loaded tokenizer. It is immutable and safe for concurrent use.
type Tokenizer struct {
	vocab     map[string]int32 // the model's, as in the file
	tokens    map[int32]string // its inverse
	added     *addedVocabulary
	normalize normalizer // nil for none
	split     []preTokenizer
	model     model
	post      postProcessor
	decode    decoder // nil for none: tokens are joined by blanks

	file    tokenizerFile // what Files writes again
	special specialTokens
	config  config
}

// scratch holds the intermediate lists of one Encode.
type scratch struct {
	sections, inner []section
	pieces, next    []piece
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// maxPooled is the length of a list beyond which it is left to the garbage collector.
const maxPooled = 1 << 16

// release gives s back without keeping the text alive.
func (s *scratch) release() {
	if cap(s.pieces) > maxPooled || cap(s.next) > maxPooled || cap(s.sections) > maxPooled {
		return
	}
	s.sections, s.inner = reuse(s.sections), reuse(s.inner)
	s.pieces, s.next = reuse(s.pieces), reuse(s.next)
	scratches.Put(s)
}

// reuse empties a list and lets go of what it pointed to.
func reuse[T any](list []T) []T {
	clear(list)
	return list[:0]
}

// Encode returns the ids of a text with the special tokens of the post-processor, not truncated
// (HF: encode(text, add_special_tokens=True)).
func (t *Tokenizer) Encode(text string) []int32 {
	ids := make([]int32, 0, len(t.post.prefix)+len(text)/3+len(t.post.suffix)+8)
	ids = append(ids, t.post.prefix...)
	ids = t.appendText(ids, text, -1)
	return append(ids, t.post.suffix...)
}

// EncodeBare returns the ids of a text without special tokens (HF: add_special_tokens=False).
func (t *Tokenizer) EncodeBare(text string) []int32 {
	return t.appendText(make([]int32, 0, len(text)/3+8), text, -1)
}

// EncodeMax is Encode cut to at most maxIDs ids: the text is cut, on the side that truncation_side of
// tokenizer_config.json names (default right), so that the special tokens fit (HF: truncation=True,
// max_length=maxIDs). A limit below the number of special tokens, where HF fails, cuts those.
func (t *Tokenizer) EncodeMax(text string, maxIDs int) []int32 {
	maxIDs = max(maxIDs, 0)
	room := max(maxIDs-len(t.post.prefix)-len(t.post.suffix), 0)
	ids := append(make([]int32, 0, len(t.post.prefix)+min(room, len(text))+len(t.post.suffix)), t.post.prefix...)
	limit := room
	if t.config.truncateLeft {
		limit = -1
	}
	ids = t.appendText(ids, text, limit)
	if content := ids[len(t.post.prefix):]; len(content) > room {
		if t.config.truncateLeft {
			copy(content, content[len(content)-room:])
		}
		ids = ids[:len(t.post.prefix)+room]
	}
	ids = append(ids, t.post.suffix...)
	return ids[:min(len(ids), maxIDs)]
}

// appendText appends the ids of a text; it may stop once there are limit of them (-1: never).
func (t *Tokenizer) appendText(dst []int32, text string, limit int) []int32 {
	s := scratches.Get().(*scratch)
	defer s.release()
	text = validUTF8(text)
	before := len(dst)
	s.sections = t.added.cut(s.sections, &t.added.raw, text)
	for _, section := range s.sections {
		if limit >= 0 && len(dst)-before >= limit {
			break
		}
		if section.id >= 0 {
			dst = append(dst, section.id)
		} else {
			dst = t.appendSection(dst, s, section, before+limit)
		}
	}
	return dst
}

// appendSection appends the ids of a text without added tokens, but for those that are looked for in normalized text.
// It may stop once dst has end ids, if end is not less than its length now.
func (t *Tokenizer) appendSection(dst []int32, s *scratch, text section, end int) []int32 {
	if t.normalize != nil {
		text.text = t.normalize.normalize(text.text)
	}
	limited := end >= len(dst)
	s.inner = t.added.cut(reuse(s.inner), &t.added.normalized, text.text)
	for _, inner := range s.inner {
		if inner.id >= 0 {
			dst = append(dst, inner.id)
			continue
		}
		for _, p := range t.pieces(s, piece{inner.text, text.at == 0 && inner.at == 0}) {
			if limited && len(dst) >= end {
				return dst
			}
			dst = t.model.appendIDs(dst, p.text)
		}
	}
	return dst
}

// pieces runs the pre-tokenizers, each over the parts of the one before. The result is valid until the next call.
func (t *Tokenizer) pieces(s *scratch, p piece) []piece {
	s.pieces = reuse(s.pieces)
	if p.text != "" {
		s.pieces = append(s.pieces, p)
	}
	for _, step := range t.split {
		s.next = reuse(s.next)
		for _, p := range s.pieces {
			s.next = step.split(s.next, p)
		}
		s.pieces, s.next = s.next, s.pieces
	}
	return s.pieces
}

// Decode returns the text of ids (HF: Tokenizer.decode). Ids without a token are left out, special tokens too with
// skipSpecial. The clean-up of transformers' clean_up_tokenization_spaces is not applied.
func (t *Tokenizer) Decode(ids []int32, skipSpecial bool) string {
	tokens := make([]string, 0, len(ids))
	for _, id := range ids {
		token, ok := t.decodeToken(id)
		if ok && !(skipSpecial && t.added.special[token]) {
			tokens = append(tokens, token)
		}
	}
	if t.decode == nil {
		return strings.Join(tokens, " ")
	}
	return strings.Join(t.decode.DecodeChain(tokens), "")
}

// decodeToken is Token, but gives the normalized form of an added token that is looked for in normalized text.
func (t *Tokenizer) decodeToken(id int32) (string, bool) {
	if form, ok := t.added.forms[id]; ok {
		return form, true
	}
	return t.Token(id)
}

// EOS returns the id of eos_token; false if there is none.
func (t *Tokenizer) EOS() (int32, bool) { return t.named(t.special.EOS) }

// BOS returns the id of bos_token; false if there is none.
func (t *Tokenizer) BOS() (int32, bool) { return t.named(t.special.BOS) }

// PAD returns the id of pad_token; false if there is none.
func (t *Tokenizer) PAD() (int32, bool) { return t.named(t.special.PAD) }

func (t *Tokenizer) named(token string) (int32, bool) {
	if token == "" {
		return 0, false
	}
	return t.TokenID(token)
}

// VocabSize returns the highest id plus one, added tokens included: the least number of embeddings a model needs.
func (t *Tokenizer) VocabSize() int {
	size := 0
	for id := range t.tokens {
		size = max(size, int(id)+1)
	}
	for _, token := range t.added.tokens {
		size = max(size, int(token.ID)+1)
	}
	return size
}

// TokenID returns the id of a token as it is spelled in the vocabulary (HF: token_to_id).
func (t *Tokenizer) TokenID(token string) (int32, bool) {
	if id, ok := t.added.ids[token]; ok {
		return id, true
	}
	id, ok := t.vocab[token]
	return id, ok
}

// Token returns the token of an id as it is spelled in the vocabulary (HF: id_to_token).
func (t *Tokenizer) Token(id int32) (string, bool) {
	if i, ok := t.added.byID[id]; ok {
		return t.added.tokens[i].Content, true
	}
	token, ok := t.tokens[id]
	return token, ok
}

// EndsWith tells whether the post-processor itself ends every text with this id.
func (t *Tokenizer) EndsWith(id int32) bool {
	n := len(t.post.suffix)
	return n > 0 && t.post.suffix[n-1] == id
}
