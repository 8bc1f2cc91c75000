package tokenizer

import (
	"fmt"

	sugarme "github.com/sugarme/tokenizer/model"
	"github.com/sugarme/tokenizer/model/wordpiece"
)

// model turns a word, a part that the pre-tokenizer left whole, into ids (HF: tokenizers.models).
type model interface {
	// appendIDs appends the ids of a word that is not empty. Safe for concurrent use.
	appendIDs(dst []int32, word string) []int32
}

// wordPiece is WordPiece: sugarme/tokenizer's model, which is exact, behind a word cache.
type wordPiece struct {
	model   wordpiece.WordPiece
	unknown int32
	cache   *wordCache
}

func newWordPiece(vocab map[string]int32, unknownToken, prefix string, maxChars int) (*wordPiece, error) {
	unknown, ok := vocab[unknownToken]
	if !ok {
		return nil, fmt.Errorf("unk_token %q is not in the vocabulary", unknownToken)
	}
	ids := make(sugarme.Vocab, len(vocab))
	for token, id := range vocab {
		ids[token] = int(id)
	}
	built := wordpiece.NewWordPieceBuilder().Vocab(&ids).UnkToken(unknownToken).
		ContinuingSubwordPrefix(prefix).MaxInputCharsPerWord(maxChars).Build()
	return &wordPiece{model: built, unknown: unknown, cache: newWordCache()}, nil
}

func (m *wordPiece) appendIDs(dst []int32, word string) []int32 {
	return m.cache.append(dst, word, m.encode)
}

func (m *wordPiece) encode(dst []int32, word string) []int32 {
	tokens, err := m.model.Tokenize(word)
	if err != nil { // only for a missing unk_token, which newWordPiece refuses
		return append(dst, m.unknown)
	}
	for _, token := range tokens {
		dst = append(dst, int32(token.Id))
	}
	return dst
}
