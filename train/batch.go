package train

import (
	"fmt"

	"revela/data"
	"revela/model"
	"revela/model/tokenizer"
)

// Batch is a group as token ids. Queries and texts of the paper's groups are the same chunks; a group with queries of
// its own has both apart.
type Batch struct {
	Queries, Texts     *model.Packed  // as the retriever reads them
	LMQueries, LMTexts *model.Packed  // as the language model does; the same batch in the paper's groups; nil without one
	Targets            *model.Targets // tokens of LMQueries to predict
	OwnQueries         bool           // the group has queries of its own
}

// Lengths are the longest texts in tokens, special tokens, prefix and EOS included.
type Lengths struct {
	RetrieverQuery, RetrieverText int
	LMQuery, LMText               int
}

// Batcher turns groups into batches. It is safe for many goroutines.
type Batcher struct {
	Models    Models
	Lengths   Lengths
	FirstHalf bool // the retriever's query is the chunk's first half; not for groups from "stackoverflow", as published
}

// Batch tokenises a group.
func (t *Batcher) Batch(g data.Group) (*Batch, error) {
	b := &Batch{OwnQueries: len(g.Queries) > 0}
	queries := g.Queries
	if !b.OwnQueries {
		queries = g.Texts
	}
	b.Queries = model.Pack(each(queries, func(text string) []int32 {
		if t.FirstHalf && g.Source != "stackoverflow" {
			return t.Models.Retriever.FirstHalf(text, t.Lengths.RetrieverQuery)
		}
		return t.Models.Retriever.Tokens(text, model.Query, t.Lengths.RetrieverQuery)
	}))
	b.Texts = model.Pack(each(g.Texts, func(text string) []int32 {
		return t.Models.Retriever.Tokens(text, model.Passage, t.Lengths.RetrieverText)
	}))
	if err := noneEmpty(g, "query", b.Queries); err != nil {
		return nil, err
	}
	if err := noneEmpty(g, "text", b.Texts); err != nil {
		return nil, err
	}
	if t.Models.LM == nil {
		return b, nil
	}
	return b, t.languageModel(b, g)
}

// noneEmpty refuses texts without a token, as a tokenizer without special tokens makes of white space.
func noneEmpty(g data.Group, what string, p *model.Packed) error {
	for i, n := range p.Lens {
		if n == 0 {
			return fmt.Errorf("%s:%d: %s %d of the group has no token", g.File, g.Line, what, i+1)
		}
	}
	return nil
}

// languageModel adds what the language model reads: texts raw, special tokens as its tokenizer adds them, no EOS.
func (t *Batcher) languageModel(b *Batch, g data.Group) error {
	tok := t.Models.LMTokenizer
	b.LMTexts = model.Pack(each(g.Texts, func(text string) []int32 { return tok.EncodeMax(text, t.Lengths.LMText) }))
	b.LMQueries = b.LMTexts
	if b.OwnQueries {
		b.LMQueries = model.Pack(each(g.Queries, func(text string) []int32 { return tok.EncodeMax(text, t.Lengths.LMQuery) }))
	}
	if err := noneEmpty(g, "text", b.LMTexts); err != nil {
		return err
	}
	var err error
	if b.Targets, err = model.NextTokens(b.LMQueries, padding(tok)); err != nil {
		return fmt.Errorf("%s:%d: %w", g.File, g.Line, err)
	}
	return nil
}

// padding is the token that is no target: the padding token, and where the tokenizer names none EOS, as published.
func padding(tok *tokenizer.Tokenizer) int32 {
	if pad, ok := tok.PAD(); ok {
		return pad
	}
	if eos, ok := tok.EOS(); ok {
		return eos
	}
	return -1
}

func each(texts []string, tokens func(string) []int32) [][]int32 {
	out := make([][]int32, len(texts))
	for i, text := range texts {
		out[i] = tokens(text)
	}
	return out
}
