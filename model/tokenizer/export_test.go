package tokenizer

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"revela/internal/testdata"
)

// reload writes a tokenizer with Files and loads the result from a folder.
func reload(t *testing.T, tok *Tokenizer, appendEOS bool) *Tokenizer {
	t.Helper()
	files, err := tok.Files(appendEOS)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range files {
		write(t, dir, name, string(content))
	}
	return loadDir(t, dir)
}

// sameIDs compares two tokenizers on the golden lines; suffix is what the second adds.
func sameIDs(t *testing.T, g golden, name string, a, b *Tokenizer, suffix ...int32) {
	t.Helper()
	for _, line := range g.Lines {
		expected := append(a.Encode(line), suffix...)
		if got := b.Encode(line); !slices.Equal(got, expected) {
			t.Fatalf("%s, %q: got %v, expected %v", name, line, got, expected)
		}
		if got, expected := b.Decode(a.Encode(line), true), a.Decode(a.Encode(line), true); got != expected {
			t.Fatalf("%s, %q: decoded %q, expected %q", name, line, got, expected)
		}
	}
}

func TestFilesKeepIDs(t *testing.T) {
	g := readGolden(t)
	for name := range g.Cases {
		tok := g.tokenizer(t, name)
		sameIDs(t, g, name, tok, reload(t, tok, false))
	}
}

func TestFilesAppendEOS(t *testing.T) {
	g := readGolden(t)
	for _, name := range []string{"tiny-llama", "tiny-qwen2"} {
		dir := ownFixture(name)
		tok := loadDir(t, dir)
		again := reload(t, tok, true)
		sameIDs(t, g, name, tok, again, eos(t, tok))
		if !again.EndsWith(eos(t, tok)) {
			t.Errorf("%s: does not end with EOS", name)
		}
		sameIDs(t, g, name+" twice", again, reload(t, again, true))
	}
}

// TestFilesConfig: what would make transformers build something else than tokenizer.json says is left out.
func TestFilesConfig(t *testing.T) {
	tok, err := Parse("model", []byte(small), []byte(`{"eos_token": "[E]", "add_eos_token": false, "tokenizer_class": "LlamaTokenizer", "model_max_length": 512}`))
	if err != nil {
		t.Fatal(err)
	}
	files, err := tok.Files(true)
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	decode(t, files["tokenizer_config.json"], &config)
	_, flag := config["add_eos_token"]
	if flag || config["tokenizer_class"] != "PreTrainedTokenizerFast" || config["eos_token"] != "[E]" || config["model_max_length"] != 512.0 {
		t.Errorf("tokenizer_config.json is %s", files["tokenizer_config.json"])
	}
	if got := reload(t, tok, true).Encode("a"); !slices.Equal(got, []int32{1, 2}) {
		t.Errorf("got %v, expected [1 2]", got)
	}
}

func TestGGUFByteLevel(t *testing.T) {
	g := readGolden(t)
	for name, pre := range map[string]string{"smollm2": "smollm", "gpt2": "gpt-2", "llama3": "llama-bpe"} {
		original := loadDir(t, testdata.Data(t, "tokenizers", name))
		sameIDs(t, g, name, original, fromGGUF(t, original, pre))
	}
	qwen := loadDir(t, ownFixture("tiny-qwen2"))
	sameIDs(t, g, "tiny-qwen2", qwen, fromGGUF(t, qwen, "qwen2"))
}

// fromGGUF writes a byte-level tokenizer as a GGUF header holds it and reads that.
func fromGGUF(t *testing.T, tok *Tokenizer, pre string) *Tokenizer {
	t.Helper()
	v := GGUFVocab{Model: "gpt2", Pre: pre, BOS: -1, EOS: -1, PAD: -1, UNK: -1}
	for id := range int32(tok.VocabSize()) {
		token, ok := tok.Token(id)
		if !ok {
			t.Fatalf("id %d has no token", id)
		}
		kind := int32(1)
		if _, added := tok.added.ids[token]; added {
			kind = ggufControl
		}
		v.Tokens, v.Types = append(v.Tokens, token), append(v.Types, kind)
	}
	entry, err := readModelEntry(tok.file.Model)
	if err != nil {
		t.Fatal(err)
	}
	merges, err := readMerges(entry.merges)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range merges {
		v.Merges = append(v.Merges, m[0]+" "+m[1])
	}
	if id, ok := tok.EOS(); ok {
		v.EOS = int(id)
	}
	out, err := FromGGUF(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestGGUFSpecialTokens(t *testing.T) {
	v := GGUFVocab{
		Tokens: []string{"a", "b", "<s>", "</s>", "<think>", "ab", "<日>"}, Types: []int32{1, 1, 3, 3, 4, 1, 3},
		Merges: []string{"a b"}, Model: "gpt2", Pre: "gpt-2", BOS: 2, EOS: 3, PAD: -1, UNK: -1, AddBOS: true, AddEOS: true,
	}
	tok, err := FromGGUF(v)
	if err != nil {
		t.Fatal(err)
	}
	if got := tok.Encode("ab<think></s>"); !slices.Equal(got, []int32{2, 5, 4, 3, 3}) {
		t.Errorf("got %v, expected [2 5 4 3 3]", got)
	}
	if got := tok.Decode([]int32{2, 5, 4, 3}, true); got != "ab<think>" {
		t.Errorf("decoded %q, expected only control tokens to be left out", got)
	}
	if _, ok := tok.added.ids["<日>"]; ok {
		t.Error("a control token outside the byte alphabet was added")
	}
	if id, ok := tok.BOS(); !ok || id != 2 {
		t.Errorf("BOS is %d %t", id, ok)
	}
}

// TestLegacyFolders compares the older vocabulary files with the tokenizer.json of the same vocabulary.
func TestLegacyFolders(t *testing.T) {
	g := readGolden(t)
	bert := testdata.Data(t, "tokenizers", "bert-uncased")
	dir := t.TempDir()
	write(t, dir, "vocab.txt", string(read(t, filepath.Join(bert, "vocab.txt"))))
	tok := loadDir(t, dir)
	sameIDs(t, g, "bert", loadDir(t, bert), tok)
	if pad, ok := tok.PAD(); !ok || pad != 0 {
		t.Errorf("PAD is %d %t, expected 0", pad, ok)
	}

	gpt2 := testdata.Data(t, "tokenizers", "gpt2")
	dir = t.TempDir()
	write(t, dir, "vocab.json", string(read(t, filepath.Join(gpt2, "vocab.json"))))
	write(t, dir, "merges.txt", strings.ReplaceAll(string(read(t, filepath.Join(gpt2, "merges.txt"))), "\n", "\r\n"))
	write(t, dir, "tokenizer_config.json", `{"tokenizer_class": "GPT2Tokenizer"}`)
	tok = loadDir(t, dir)
	sameIDs(t, g, "gpt2", loadDir(t, gpt2), tok)
	if got := eos(t, tok); got != 50256 {
		t.Errorf("EOS is %d, expected 50256", got)
	}

	write(t, dir, "tokenizer_config.json", `{"tokenizer_class": "GPT2Tokenizer", "add_bos_token": true, "add_eos_token": true}`)
	if got := loadDir(t, dir).Encode("a"); !slices.Equal(got, []int32{50256, 64, 50256}) {
		t.Errorf("got %v, expected [50256 64 50256]", got)
	}
	write(t, dir, "tokenizer_config.json", `{"bos_token": "<s>", "add_bos_token": true}`)
	_, err := Load(dir)
	checkError(t, err, "load tokenizer: "+filepath.Join(dir, "tokenizer_config.json")+`: add_bos_token: the token "<s>" is not in vocab.json`)

	qwen := ownFixture("tiny-qwen2")
	tok = loadDir(t, qwen)
	dir = t.TempDir()
	vocab, merges := bpeFiles(t, tok)
	write(t, dir, "vocab.json", vocab)
	write(t, dir, "merges.txt", merges)
	write(t, dir, "config.json", `{"model_type": "qwen2"}`)
	write(t, dir, "tokenizer_config.json", string(read(t, filepath.Join(qwen, "tokenizer_config.json"))))
	sameIDs(t, g, "qwen2", tok, loadDir(t, dir))
}

// bpeFiles gives the contents of vocab.json and merges.txt.
func bpeFiles(t *testing.T, tok *Tokenizer) (vocab, merges string) {
	t.Helper()
	entry, err := readModelEntry(tok.file.Model)
	if err != nil {
		t.Fatal(err)
	}
	pairs, err := readMerges(entry.merges)
	if err != nil {
		t.Fatal(err)
	}
	merges = "#version: 0.2\n"
	for _, m := range pairs {
		merges += m[0] + " " + m[1] + "\n"
	}
	return string(entry.vocab), merges
}
