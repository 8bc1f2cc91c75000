package tokenizer

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// golden is testdata/golden.json.gz, written by testdata/make_golden.py with HuggingFace tokenizers.
type golden struct {
	Lines      []string
	Bases      map[string]map[string]json.RawMessage
	Cases      map[string]goldenCase
	Explicit   map[string][][]int32
	Codepoints map[string]digest
}

type goldenCase struct {
	Base    string
	Parts   map[string]json.RawMessage
	Decoded string
	Lines   []string
}

// goldenData is testdata/data.json, written by the same script.
type goldenData struct {
	Tokenizers map[string]map[string]digest
	GGUF       map[string]digest // Llama 2's SentencePiece model
}

type digest struct {
	Texts  int
	SHA256 string
}

func readGolden(t testing.TB) golden {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "golden.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	unzip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.NewDecoder(unzip).Decode(&g); err != nil {
		t.Fatal(err)
	}
	if len(g.Lines) < 300 || len(g.Cases) < 50 || len(g.Codepoints) < 10 {
		t.Fatalf("golden.json.gz holds %d lines, %d cases, %d of them with code points: it is not complete", len(g.Lines), len(g.Cases), len(g.Codepoints))
	}
	return g
}

func readGoldenData(t testing.TB) (d goldenData) {
	t.Helper()
	decode(t, read(t, filepath.Join("testdata", "data.json")), &d)
	if len(d.Tokenizers) < 5 || len(d.GGUF) < 2 {
		t.Fatalf("data.json holds %d tokenizers: it is not complete", len(d.Tokenizers))
	}
	return d
}

// tokenizer assembles a case's tokenizer.json and loads it.
func (g golden) tokenizer(t testing.TB, name string) *Tokenizer {
	t.Helper()
	c, ok := g.Cases[name]
	if !ok {
		t.Fatalf("no case %s", name)
	}
	model := map[string]json.RawMessage{}
	for key, raw := range g.Bases[c.Base] {
		model[key] = raw
	}
	changeModel(t, model, c.Parts["model"])
	file := map[string]any{"version": "1.0", "model": model}
	for key, raw := range c.Parts {
		if key != "model" {
			file[key] = raw
		}
	}
	data, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := Parse(name, data, nil)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// changeModel is make_model of make_golden.py.
func changeModel(t testing.TB, model map[string]json.RawMessage, raw json.RawMessage) {
	t.Helper()
	if raw == nil {
		return
	}
	changes, vocab, merges := map[string]json.RawMessage{}, map[string]int{}, [][]string{}
	decode(t, raw, &changes)
	decode(t, model["vocab"], &vocab)
	if model["merges"] != nil {
		decode(t, model["merges"], &merges)
	}
	var drop []string
	var add [][]string
	for key, raw := range changes {
		switch key {
		case "drop":
			decode(t, raw, &drop)
		case "add":
			decode(t, raw, &add)
		case "merges":
			decode(t, raw, &merges)
		default:
			model[key] = raw
		}
	}
	for _, pair := range add {
		merges = append(merges, pair)
		if _, ok := vocab[pair[0]+pair[1]]; !ok {
			highest := 0
			for _, id := range vocab {
				highest = max(highest, id)
			}
			vocab[pair[0]+pair[1]] = highest + 1
		}
	}
	for _, token := range drop {
		delete(vocab, token)
	}
	merges = slices.DeleteFunc(merges, func(m []string) bool {
		return slices.Contains(drop, m[0]) || slices.Contains(drop, m[1]) || slices.Contains(drop, m[0]+m[1])
	})
	model["vocab"] = encode(t, vocab)
	if model["merges"] != nil {
		model["merges"] = encode(t, merges)
	}
}

func decode(t testing.TB, raw []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(raw, v); err != nil {
		t.Fatal(err)
	}
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
