package model

import "revela/torch"

// Packed is a batch of token sequences, one after another without padding.
type Packed struct {
	IDs    []int64 // of all sequences
	Starts []int64 // where each sequence begins in IDs
	Lens   []int64 // how long it is
	Types  []int64 // token types (BERT's segments); nil for type 0 throughout
}

// Pack joins sequences of token ids.
func Pack(sequences [][]int32) *Packed {
	p := &Packed{}
	for _, ids := range sequences {
		p.Starts = append(p.Starts, int64(len(p.IDs)))
		p.Lens = append(p.Lens, int64(len(ids)))
		for _, id := range ids {
			p.IDs = append(p.IDs, int64(id))
		}
	}
	return p
}

// Join returns the sequences of a followed by those of b.
func Join(a, b *Packed) *Packed {
	p := &Packed{
		IDs:    append(append([]int64(nil), a.IDs...), b.IDs...),
		Starts: append([]int64(nil), a.Starts...),
		Lens:   append(append([]int64(nil), a.Lens...), b.Lens...),
	}
	for _, start := range b.Starts {
		p.Starts = append(p.Starts, start+a.Tokens())
	}
	return p
}

// Select returns some of the sequences, in the order given.
func (p *Packed) Select(sequences []int) *Packed {
	out := &Packed{}
	for _, i := range sequences {
		start, end := p.Starts[i], p.Starts[i]+p.Lens[i]
		out.Starts = append(out.Starts, int64(len(out.IDs)))
		out.Lens = append(out.Lens, p.Lens[i])
		out.IDs = append(out.IDs, p.IDs[start:end]...)
		if p.Types != nil {
			out.Types = append(out.Types, p.Types[start:end]...)
		}
	}
	return out
}

// Len is the number of sequences.
func (p *Packed) Len() int { return len(p.Lens) }

// TokenTypes returns the type of every token.
func (p *Packed) TokenTypes() []int64 {
	if p.Types != nil {
		return p.Types
	}
	return make([]int64, len(p.IDs))
}

// Tokens is the number of tokens of all sequences.
func (p *Packed) Tokens() int64 { return int64(len(p.IDs)) }

// Positions counts every sequence's tokens from 0.
func (p *Packed) Positions() []int64 {
	positions := make([]int64, 0, len(p.IDs))
	for _, n := range p.Lens {
		for i := range n {
			positions = append(positions, i)
		}
	}
	return positions
}

// SelfPairs lets every sequence attend to itself.
func (p *Packed) SelfPairs() []torch.Pair {
	pairs := make([]torch.Pair, p.Len())
	for i, n := range p.Lens {
		pairs[i] = torch.Pair{Query: p.Starts[i], QueryLen: n, Key: p.Starts[i], KeyLen: n}
	}
	return pairs
}

// Last returns the index in IDs of every sequence's last token.
func (p *Packed) Last() []int64 {
	last := make([]int64, p.Len())
	for i, n := range p.Lens {
		last[i] = p.Starts[i] + n - 1
	}
	return last
}
