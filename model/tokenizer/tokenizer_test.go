package tokenizer

import (
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// ownFixture is the folder of a language model among the repository's fixtures, whatever $REVELA_FIXTURES says: the
// golden ids belong to it.
func ownFixture(name string) string {
	return filepath.Join("..", "..", "testdata", "revela", name, "lm")
}

func tinyLlama(t testing.TB) *Tokenizer {
	t.Helper()
	tok, err := Load(ownFixture("tiny-llama"))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// TestInvalidUTF8 has the values of Python's bytes.decode("utf-8", errors="replace").
func TestInvalidUTF8(t *testing.T) {
	const r = "\uFFFD"
	for in, expected := range map[string]string{
		"plain":                "plain",
		"\xff":                 r,
		"a\xffb":               "a" + r + "b",
		"\xe2\x82":             r,
		"\xe2\x82a":            r + "a",
		"\xe2\x82\xac":         "€",
		"\xe2\x28\xa1":         r + "(" + r,
		"\xc0\xaf":             r + r,
		"\xed\xa0\x80":         r + r + r,
		"\xf0\x9f\x98":         r,
		"\xf0\x9f\x98\xf0\x9f": r + r,
		"\xf0\x80\x80\x80":     r + r + r + r,
		"\xf4\x90\x80\x80":     r + r + r + r,
		"\xf0\x90\x80":         r,
		"\x80\x80":             r + r,
		"\xe0\x80\xaf":         r + r + r,
		"\xe0\xa0":             r,
		"\xf8\x88\x80\x80\x80": r + r + r + r + r,
		"é\xc3":                "é" + r,
		"\uFFFD is valid":      "\uFFFD is valid",
	} {
		if got := validUTF8(in); got != expected {
			t.Errorf("%q: got %q, expected %q", in, got, expected)
		}
	}
	tok := tinyLlama(t)
	if got, expected := tok.Encode("a\xe2\x82b"), tok.Encode("a\uFFFDb"); !slices.Equal(got, expected) {
		t.Errorf("got %v, expected %v", got, expected)
	}
}

func TestEncodeMax(t *testing.T) {
	tok := readGolden(t).tokenizer(t, "spm-always-whole") // <s> text </s>, where </s> stands for two ids
	const text = "The day after the day"
	all := tok.Encode(text)
	content := all[1 : len(all)-2]
	if len(content) < 8 {
		t.Fatalf("the text has %d ids only", len(content))
	}
	for limit := range len(all) + 2 {
		got := tok.EncodeMax(text, limit)
		if len(got) != min(limit, len(all)) {
			t.Errorf("max %d: %d ids", limit, len(got))
		}
		if limit < 3 {
			continue
		}
		kept := content[:min(limit-3, len(content))]
		if expected := slices.Concat([]int32{1}, kept, []int32{2, 1}); !slices.Equal(got, expected) {
			t.Errorf("max %d: got %v, expected %v", limit, got, expected)
		}
	}
	if got := tok.EncodeMax(text, -1); len(got) != 0 {
		t.Errorf("max -1: got %v", got)
	}
}

func TestTruncationSideLeft(t *testing.T) {
	tok, err := Parse("model", []byte(small), []byte(`{"truncation_side": "left"}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := tok.EncodeMax("a b a", 2); !slices.Equal(got, []int32{0, 1}) {
		t.Errorf("got %v, expected the last two of [1 0 1]", got)
	}
}

func TestSpecialTokens(t *testing.T) {
	for _, c := range []struct {
		config        string
		bos, eos, pad int32 // -1: none
		ids           []int32
	}{
		{``, -1, -1, -1, []int32{1, 0}},
		{`{"bos_token": "[B]", "eos_token": {"content": "a", "lstrip": false}, "pad_token": null}`, 2, 1, -1, []int32{1, 0}},
		{`{"bos_token": "[B]", "eos_token": "[E]", "add_bos_token": true, "add_eos_token": true}`, 2, 3, -1, []int32{1, 0}},
		{`{"bos_token": "[B]", "add_bos_token": false}`, 2, -1, -1, []int32{1, 0}},
		{`{"add_bos_token": true, "pad_token": "[P]"}`, -1, -1, 2, []int32{1, 0}},
		{`{"tokenizer_class": "BertTokenizerFast"}`, -1, -1, -1, []int32{1, 0}},
	} {
		tok, err := Parse("model", []byte(small), []byte(c.config))
		if err != nil {
			t.Fatal(err)
		}
		check := func(name string, id int32, ok bool, expected int32) {
			if ok != (expected >= 0) || ok && id != expected {
				t.Errorf("%s: %s is %d %t, expected %d", c.config, name, id, ok, expected)
			}
		}
		bos, ok := tok.BOS()
		check("BOS", bos, ok, c.bos)
		eos, ok := tok.EOS()
		check("EOS", eos, ok, c.eos)
		pad, ok := tok.PAD()
		check("PAD", pad, ok, c.pad)
		if got := tok.Encode("a x"); !slices.Equal(got, c.ids) {
			t.Errorf("%s: got %v, expected %v", c.config, got, c.ids)
		}
	}
}

func TestSpecialTokensMap(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "tokenizer.json", small)
	write(t, dir, "tokenizer_config.json", `{"bos_token": "a"}`)
	write(t, dir, "special_tokens_map.json", `{"bos_token": "b", "eos_token": {"content": "[UNK]"}}`)
	tok := loadDir(t, dir)
	bos, _ := tok.BOS()
	eos, ok := tok.EOS()
	if bos != 1 || eos != 0 || !ok {
		t.Errorf("bos %d, eos %d %t; expected 1 of tokenizer_config.json and 0 of special_tokens_map.json", bos, eos, ok)
	}
}

func TestVocabulary(t *testing.T) {
	tok := tinyLlama(t)
	if got := tok.VocabSize(); got != 400 {
		t.Errorf("VocabSize is %d, expected 400", got)
	}
	for id := range int32(400) {
		token, ok := tok.Token(id)
		if back, found := tok.TokenID(token); !ok || !found || back != id {
			t.Errorf("id %d is %q %t, whose id is %d %t", id, token, ok, back, found)
		}
	}
	if token, ok := tok.Token(400); ok {
		t.Errorf("id 400 is %q", token)
	}
	if id, ok := tok.TokenID("no such token"); ok {
		t.Errorf("id %d for a token that there is not", id)
	}
}

func TestEndsWith(t *testing.T) {
	g := readGolden(t)
	bert := g.tokenizer(t, "bert-0")
	if sep, _ := bert.TokenID("[SEP]"); !bert.EndsWith(sep) {
		t.Error("bert-0 ends with [SEP]")
	}
	llama := tinyLlama(t)
	if llama.EndsWith(eos(t, llama)) {
		t.Error("tiny-llama does not end with its EOS")
	}
}

func TestConcurrentEncode(t *testing.T) {
	g := readGolden(t)
	for _, name := range []string{"bytes-llama3", "spm-legacy", "bert-0", "added-lowercase"} {
		alone, tok := g.tokenizer(t, name), g.tokenizer(t, name)
		expected := make([][]int32, len(g.Lines))
		for i, line := range g.Lines {
			expected[i] = alone.Encode(line)
		}
		var wait sync.WaitGroup
		for worker := range 8 {
			wait.Go(func() {
				for i := range g.Lines {
					i = (i + worker*31) % len(g.Lines)
					if got := tok.Encode(g.Lines[i]); !slices.Equal(got, expected[i]) {
						t.Errorf("%s, %q: got %v, expected %v", name, g.Lines[i], got, expected[i])
					}
				}
			})
		}
		wait.Wait()
	}
}

// TestCacheIsBounded encodes more different words than the cache has slots.
func TestCacheIsBounded(t *testing.T) {
	tok := tinyLlama(t)
	var b strings.Builder
	for i := range 3 * cacheSlots {
		for n := i; n > 0; n /= 26 {
			b.WriteByte(byte('a' + n%26))
		}
		b.WriteByte(' ')
	}
	if got := tok.Decode(tok.EncodeBare(b.String()), false); got != b.String() {
		t.Error("text changed by encoding and decoding")
	}
	cache := tok.model.(*bpe).cache
	if len(cache.slots) != cacheSlots {
		t.Errorf("%d slots, expected %d", len(cache.slots), cacheSlots)
	}
	if cache.slot(strings.Repeat("a", cacheMaxWord+1)) != nil {
		t.Error("a word beyond the limit is cached")
	}
}

// TestLongMerges compares the two ways of merging on words of every length around the limit.
func TestLongMerges(t *testing.T) {
	m := tinyLlama(t).model.(*bpe)
	text := strings.Repeat("there then the other there ther", 12)
	for n := 2; n <= maxScan; n++ {
		scanned := m.appendBytes(nil, text[n:2*n])
		queued := slices.Clone(scanned)
		scanned = m.merges.merge(scanned)
		if queued = new(mergeQueue).merge(m.merges, queued); !slices.Equal(scanned, queued) {
			t.Fatalf("%d bytes: scan gives %v, queue %v", n, scanned, queued)
		}
	}
}

func FuzzEncode(f *testing.F) {
	g := readGolden(f)
	var toks []*Tokenizer
	for _, name := range []string{"bytes-qwen2", "spm-legacy", "spm-first-cut", "bert-0", "added-nfkc", "words-whitespace", "bytes-contiguous-digits"} {
		toks = append(toks, g.tokenizer(f, name))
	}
	for _, line := range g.Lines {
		f.Add(line, 7)
	}
	f.Add("\xff\xe2\x82", 0)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		for _, tok := range toks {
			ids := tok.Encode(text)
			if size := int32(tok.VocabSize()); slices.ContainsFunc(ids, func(id int32) bool { return id < 0 || id >= size }) {
				t.Fatalf("%q: an id of %v is not in the vocabulary of %d", text, ids, size)
			}
			if got := tok.EncodeMax(text, limit%1000); len(got) > max(limit%1000, 0) {
				t.Fatalf("%q: %d ids, expected at most %d", text, len(got), limit%1000)
			}
			tok.Decode(ids, true)
		}
		if tok := toks[0]; tok.Decode(tok.EncodeBare(validUTF8(text)), false) != tok.normalizeForTest(validUTF8(text)) {
			t.Fatalf("%q: changed by encoding and decoding", text)
		}
	})
}

// normalizeForTest is the text that a byte-level tokenizer must give back.
func (t *Tokenizer) normalizeForTest(text string) string {
	if t.normalize == nil {
		return text
	}
	return t.normalize.normalize(text)
}

// FuzzParse: a broken tokenizer.json is an error, never a panic, neither when it is loaded nor when it is used.
func FuzzParse(f *testing.F) {
	g := readGolden(f)
	f.Add([]byte(small), []byte(`{"eos_token": "a"}`))
	for name := range g.Cases {
		if tok := g.tokenizer(f, name); len(tok.file.Model) < 20000 {
			f.Add(tok.file.json(), []byte(`{}`))
		}
	}
	f.Fuzz(func(t *testing.T, file, config []byte) {
		tok, err := Parse("fuzz", file, config)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Fatalf("the error has more than one line: %q", err)
			}
			return
		}
		tok.Decode(tok.Encode("The 1st café [SEP] <s>\n▁"), true)
		if _, err := tok.Files(false); err != nil {
			t.Fatal(err)
		}
	})
}
