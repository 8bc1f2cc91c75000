package tokenizer

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// decoder rewrites the list of tokens that Decode joins (HF: tokenizers.decoders). The types of
// sugarme/tokenizer/decoder implement it as well.
type decoder interface {
	DecodeChain(tokens []string) []string
}

// decoders is Sequence.
type decoders []decoder

// DecodeChain applies one after the other.
func (d decoders) DecodeChain(tokens []string) []string {
	for _, step := range d {
		tokens = step.DecodeChain(tokens)
	}
	return tokens
}

// byteLevelDecoder is ByteLevel: tokens of its alphabet become bytes, others stay, the whole becomes valid UTF-8.
type byteLevelDecoder struct{}

// DecodeChain returns one string.
func (byteLevelDecoder) DecodeChain(tokens []string) []string {
	var out []byte
	for _, token := range tokens {
		if b, ok := bytesOf(token); ok {
			out = append(out, b...)
		} else {
			out = append(out, token...)
		}
	}
	return []string{validUTF8(string(out))}
}

// DecodeChain is Replace on every token.
func (n replacer) DecodeChain(tokens []string) []string {
	for i, token := range tokens {
		tokens[i] = n.normalize(token)
	}
	return tokens
}

// byteFallbackDecoder is ByteFallback: runs of tokens <0xNN> become text, or one U+FFFD a byte where they are not
// valid UTF-8. sugarme's panics on a token such as <0xZZ>.
type byteFallbackDecoder struct{}

// DecodeChain joins runs of byte tokens.
func (byteFallbackDecoder) DecodeChain(tokens []string) []string {
	var out []string
	var run []byte
	flush := func() {
		if utf8.Valid(run) && len(run) > 0 {
			out = append(out, string(run))
		} else {
			for range run {
				out = append(out, "\uFFFD")
			}
		}
		run = run[:0]
	}
	for _, token := range tokens {
		if b, ok := byteToken(token); ok {
			run = append(run, b)
			continue
		}
		flush()
		out = append(out, token)
	}
	flush()
	return out
}

func byteToken(token string) (byte, bool) {
	if len(token) != 6 || !strings.HasPrefix(token, "<0x") || token[5] != '>' {
		return 0, false
	}
	b, err := strconv.ParseUint(strings.TrimPrefix(token[3:5], "+"), 16, 8) // Rust's parser takes a plus sign
	return byte(b), err == nil
}

// stripDecoder is Strip: up to start and stop times content is cut at the ends of every token. sugarme's panics on
// an empty token.
type stripDecoder struct {
	content     string
	start, stop int
}

// DecodeChain strips every token.
func (d stripDecoder) DecodeChain(tokens []string) []string {
	for i, token := range tokens {
		for n := 0; n < d.start && strings.HasPrefix(token, d.content); n++ {
			token = token[len(d.content):]
		}
		for n := 0; n < d.stop && strings.HasSuffix(token, d.content); n++ {
			token = token[:len(token)-len(d.content)]
		}
		tokens[i] = token
	}
	return tokens
}

// metaspaceDecoder is Metaspace: the replacement becomes a blank; in the first token it vanishes, unless the
// encoder adds none.
type metaspaceDecoder struct {
	replacement string
	keepFirst   bool
}

// DecodeChain puts the blanks back.
func (d metaspaceDecoder) DecodeChain(tokens []string) []string {
	for i, token := range tokens {
		blank := " "
		if i == 0 && !d.keepFirst {
			blank = ""
		}
		tokens[i] = strings.ReplaceAll(token, d.replacement, blank)
	}
	return tokens
}
