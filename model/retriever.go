package model

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"revela/model/checkpoint"
	"revela/model/tokenizer"
	"revela/torch"
)

// Kind tells the two sorts of texts apart, which get different prompts and lengths.
type Kind int

// What a retriever reads.
const (
	Query Kind = iota
	Passage
)

// Retriever turns texts into vectors whose inner product is their similarity.
type Retriever struct {
	Network
	Tokenizer *tokenizer.Tokenizer
	RetrieverSettings
}

// RetrieverSettings are what a retriever needs beside its network; the same ones train, encode and evaluate.
type RetrieverSettings struct {
	Pooling                    Pooling
	Normalize                  bool // unit vectors
	AppendEOS                  bool // end every text with the tokenizer's EOS
	QueryPrefix, PassagePrefix string
	MaxLength                  int // tokens of a text, prefix and special tokens included
}

// LoadTokenizer reads the tokenizer of a checkpoint's folder, from the GGUF header where there is no other, and checks
// that the model has an embedding for every token.
func LoadTokenizer(dir string) (*tokenizer.Tokenizer, error) {
	tok, err := readTokenizer(dir)
	if err != nil {
		return nil, err
	}
	c, err := checkpoint.ReadConfig(dir)
	if err != nil {
		return nil, err
	}
	if tok.VocabSize() > c.VocabSize {
		return nil, fmt.Errorf("%s: the tokenizer has ids up to %d, the model embeddings for %d tokens", dir,
			tok.VocabSize()-1, c.VocabSize)
	}
	return tok, nil
}

func readTokenizer(dir string) (*tokenizer.Tokenizer, error) {
	for _, name := range []string{"tokenizer.json", "vocab.txt", "vocab.json"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return tokenizer.Load(dir)
		} else if !errors.Is(err, fs.ErrNotExist) && !strings.HasSuffix(dir, ".gguf") {
			return nil, fmt.Errorf("read tokenizer: %w", err)
		}
	}
	vocab, err := checkpoint.ReadGGUFVocab(dir)
	if err != nil {
		return nil, fmt.Errorf("%s: no tokenizer.json, vocab.txt or vocab.json, and no tokenizer in a GGUF file: %w", dir, err)
	}
	return tokenizer.FromGGUF(tokenizer.GGUFVocab(*vocab))
}

// EndsWithEOS resolves `append_eos: auto`: EOS is appended for pooling on it, unless the tokenizer ends texts with it already.
func EndsWithEOS(tok *tokenizer.Tokenizer, p Pooling) bool {
	eos, ok := tok.EOS()
	return p == PoolEOS && ok && !tok.EndsWith(eos)
}

// Check reports settings that the tokenizer or the network cannot serve.
func (r *Retriever) Check() error {
	if _, ok := r.Tokenizer.EOS(); r.AppendEOS && !ok {
		return fmt.Errorf("append EOS: the tokenizer names no EOS token")
	}
	return nil
}

// Tokens returns a text's token ids: prefix, truncation to max tokens (0: MaxLength), EOS as the settings say. The
// published code truncates to max−1, special tokens included, and then appends EOS.
func (r *Retriever) Tokens(text string, kind Kind, max int) []int32 {
	return r.tokens(text, kind, max, false)
}

// FirstHalf is Tokens of a query of which only the first half of its ids is kept, BOS and prefix counted, as the published
// `query: first_half` does; closing special tokens are put back.
func (r *Retriever) FirstHalf(text string, max int) []int32 { return r.tokens(text, Query, max, true) }

func (r *Retriever) tokens(text string, kind Kind, max int, half bool) []int32 {
	prefix := r.QueryPrefix
	if kind == Passage {
		prefix = r.PassagePrefix
	}
	if max == 0 {
		max = r.MaxLength
	}
	if !r.AppendEOS {
		ids := r.Tokenizer.EncodeMax(prefix+text, max)
		return r.halved(ids, half)
	}
	ids := r.Tokenizer.EncodeMax(prefix+text, max-1)
	eos, _ := r.Tokenizer.EOS()
	return append(r.halved(ids, half), eos)
}

// halved cuts ids to int(n/2) of its n ids. An encoder's closing special token ([SEP]) does not count and stays.
func (r *Retriever) halved(ids []int32, half bool) []int32 {
	if !half || len(ids) == 0 {
		return ids
	}
	last := ids[len(ids)-1]
	if r.Causal() || !r.Tokenizer.EndsWith(last) {
		return ids[:len(ids)/2]
	}
	return append(ids[:(len(ids)-1)/2:(len(ids)-1)/2], last)
}

// Pooled sends a batch through the network; the result is one vector per text, not normalised, in fp32: [texts, D].
func (r *Retriever) Pooled(c *Chain, p *Packed, train bool) torch.Tensor {
	x := Run(c, r.Network, p, train)
	return c.Last(x, r.FinalParams(), func(s *torch.Scope, x torch.Tensor) torch.Tensor {
		return r.Pooling.Pool(s, r.Final(s, x), p)
	})
}

// Encode writes the vectors [texts, D] of token sequences into out, without a graph, normalised where the settings say so.
func (r *Retriever) Encode(sequences [][]int32, out []float32) error {
	c := NewChain()
	defer c.Close()
	c.NoGrad = true
	for i, ids := range sequences {
		if len(ids) == 0 {
			return fmt.Errorf("encode: text %d has no token", i+1)
		}
	}
	pooled := r.Pooled(c, Pack(sequences), false)
	s := c.Scope()
	if r.Normalize {
		torch.NoGrad(func() { pooled = s.Normalize(pooled) })
	}
	if s.Err() != nil {
		return s.Err()
	}
	return torch.ReadInto(pooled, out)
}
