package encode

import (
	"fmt"

	"revela/model"
	"revela/model/tokenizer"
)

// plainLength is the greatest length of a text where neither the model's files nor the caller says one.
const plainLength = 512

// settings are the model's own, as far as the options do not change them.
func (o OpenOptions) settings(f *folders, tok *tokenizer.Tokenizer) (model.RetrieverSettings, error) {
	s, err := o.own(f)
	if err != nil {
		return s, err
	}
	if o.Pooling != "" && o.Pooling != "auto" {
		s.Pooling = model.Pooling(o.Pooling)
	}
	s.AppendEOS = model.EndsWithEOS(tok, s.Pooling)
	override(&s.Normalize, o.Normalize)
	override(&s.AppendEOS, o.AppendEOS)
	override(&s.QueryPrefix, o.QueryPrefix)
	override(&s.PassagePrefix, o.PassagePrefix)
	if s.MaxLength, err = o.length(f, s.MaxLength); err != nil {
		return s, err
	}
	return s, (&model.Retriever{Tokenizer: tok, RetrieverSettings: s}).Check()
}

func override[T any](setting *T, given *T) {
	if given != nil {
		*setting = *given
	}
}

// own reads what the model's folder says, an adapter's before its base's. A length of 0 means that it says none.
func (o OpenOptions) own(f *folders) (model.RetrieverSettings, error) {
	for _, dir := range append(f.adapters[:len(f.adapters):len(f.adapters)], f.base) {
		c, ok, err := model.ReadSentenceConfig(dir)
		if err != nil {
			return model.RetrieverSettings{}, err
		}
		if !ok {
			continue
		}
		if o.Search && c.Similarity != "cosine" && c.Similarity != "dot" {
			return model.RetrieverSettings{}, fmt.Errorf("%s: similarity %q found, cosine or dot expected", dir, c.Similarity)
		}
		c.Normalize = c.Normalize || o.Search && c.Similarity == "cosine"
		return c.RetrieverSettings, nil
	}
	pooling := model.PoolEOS
	if f.isEncoder() {
		pooling = model.PoolMean
	}
	return model.RetrieverSettings{Pooling: pooling, Normalize: true}, nil
}

// isEncoder tells bidirectional networks, whose positions are learned, from decoders.
func (f *folders) isEncoder() bool { return f.config.ModelType == "bert" }

// length settles the greatest length of a text. Learned positions end; a length of the model's own is cut to them, one that
// was asked for is an error.
func (o OpenOptions) length(f *folders, own int) (int, error) {
	positions := f.config.MaxPositionEmbeddings
	switch {
	case o.MaxLength > 0 && f.isEncoder() && o.FitLength:
		return min(o.MaxLength, positions), nil
	case o.MaxLength > 0 && f.isEncoder() && o.MaxLength > positions:
		return 0, fmt.Errorf("max length is %d, expected at most %d, the positions that %s has", o.MaxLength, positions, o.Model)
	case o.MaxLength > 0:
		return o.MaxLength, nil
	case own > 0 && !f.isEncoder():
		return own, nil
	case own > 0:
		return min(own, positions), nil
	}
	return min(plainLength, positions), nil
}
