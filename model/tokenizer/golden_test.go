package tokenizer

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"os"
	"slices"
	"strings"
	"testing"

	"revela/internal/testdata"
)

func pack(h hash.Hash, ids []int32) {
	buffer := binary.LittleEndian.AppendUint32(nil, uint32(len(ids)))
	for _, id := range ids {
		buffer = binary.LittleEndian.AppendUint32(buffer, uint32(id))
	}
	h.Write(buffer)
}

// short is the hash that make_golden.py keeps of a line.
func short(tok *Tokenizer, line string) string {
	ids := tok.Encode(line)
	all := append(slices.Clone(ids), -1)
	all = append(append(all, tok.EncodeBare(line)...), -1)
	all = append(all, tok.EncodeMax(line, 7)...)
	h := sha256.New()
	pack(h, all)
	for _, skip := range []bool{false, true} {
		h.Write([]byte(tok.Decode(ids, skip)))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil))[:8]
}

// decoded is the hash that make_golden.py keeps of decoded ids.
func decoded(tok *Tokenizer) string {
	size := len(tok.vocab) + 5
	for _, token := range tok.added.tokens {
		if _, ok := tok.vocab[token.Content]; !ok {
			size++
		}
	}
	h := sha256.New()
	pack(h, nil)
	for n := 1; n < 120; n++ {
		var ids []int32
		for k := range n%23 + 1 {
			ids = append(ids, int32((n*7919+k*k*31)%size))
		}
		for _, skip := range []bool{false, true} {
			h.Write([]byte(tok.Decode(ids, skip)))
			h.Write([]byte{0})
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:8]
}

func TestComponentsMatchHuggingFace(t *testing.T) {
	g := readGolden(t)
	for name, c := range g.Cases {
		t.Run(name, func(t *testing.T) {
			tok := g.tokenizer(t, name)
			if got := decoded(tok); got != c.Decoded {
				t.Errorf("decoded ids in no order: hash %s, expected %s", got, c.Decoded)
			}
			bad := 0
			for i, line := range g.Lines {
				if got := short(tok, line); got != c.Lines[i] {
					if bad++; bad <= 3 {
						ids := tok.Encode(line)
						t.Errorf("%q: hash %s, expected %s; ids %v, decoded %q", line, got, c.Lines[i], ids, tok.Decode(ids, false))
					}
				}
			}
			if bad > 0 {
				t.Errorf("%d of %d lines differ", bad, len(g.Lines))
			}
		})
	}
}

func TestNastyLines(t *testing.T) {
	g := readGolden(t)
	for name, expected := range g.Explicit {
		tok, err := Load(ownFixture(name))
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range g.Lines {
			if got := tok.Encode(line); !slices.Equal(got, expected[i]) {
				t.Errorf("%s, %q: got %v, expected %v", name, line, got, expected[i])
			}
		}
	}
}

// codepoints is codepoints of make_golden.py.
func codepoints(yield func(string) bool) {
	for _, block := range [][2]rune{{0, 0x20000}, {0xE0000, 0xE0200}} {
		for start := block[0]; start < block[1]; start += 16 {
			var b strings.Builder
			for c := start; c < start+16; c++ {
				if c < 0xD800 || c > 0xDFFF {
					fmt.Fprintf(&b, "a%ca %c1%c%c'%c\n", c, c, c, c, c)
				}
			}
			if !yield(b.String()) {
				return
			}
		}
	}
}

func digestOf(tok *Tokenizer, texts func(yield func(string) bool)) digest {
	h, n := sha256.New(), 0
	for text := range texts {
		pack(h, tok.Encode(text))
		n++
	}
	return digest{n, hex.EncodeToString(h.Sum(nil))}
}

func TestEveryCodePoint(t *testing.T) {
	g := readGolden(t)
	for name, expected := range g.Codepoints {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := digestOf(g.tokenizer(t, name), codepoints); got != expected {
				t.Errorf("got %v, expected %v", got, expected)
			}
		})
	}
}

// byLine is BY_LINE of make_golden.py.
var byLine = []string{"tokenizers/bert-uncased", "tokenizers/smollm2"}

func TestDataCollections(t *testing.T) {
	g := readGolden(t)
	for name, files := range readGoldenData(t).Tokenizers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tok, err := Parse(name, read(t, testdata.Data(t, name, "tokenizer.json")), nil)
			if err != nil {
				t.Fatal(err)
			}
			g.checkDigests(t, tok, files, slices.Contains(byLine, name))
		})
	}
}

// checkDigests compares the ids of texts named by lines, codepoints or the file of a collection.
func (g golden) checkDigests(t *testing.T, tok *Tokenizer, files map[string]digest, byLine bool) {
	t.Helper()
	for file, expected := range files {
		var got digest
		switch file {
		case "lines":
			got = digestOf(tok, slices.Values(g.Lines))
		case "codepoints":
			got = digestOf(tok, codepoints)
		default:
			got = digestOf(tok, collection(t, testdata.Data(t, file), byLine))
		}
		if got != expected {
			t.Errorf("%s: got %v, expected %v", file, got, expected)
		}
	}
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// collection yields titles and texts of a JSON lines file, and the lines of the texts.
func collection(t testing.TB, path string, byLine bool) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		f, err := os.Open(path)
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		in := bufio.NewScanner(f)
		in.Buffer(nil, 1<<26)
		for in.Scan() {
			var doc struct{ Title, Text string }
			if err := json.Unmarshal(in.Bytes(), &doc); err != nil {
				t.Error(err)
				return
			}
			if !yield(doc.Title) || !yield(doc.Text) {
				return
			}
			if byLine {
				for _, line := range strings.Split(doc.Text, "\n") {
					if !yield(line) {
						return
					}
				}
			}
		}
	}
}
