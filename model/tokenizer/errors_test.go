package tokenizer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// small is a valid tokenizer.json whose parts the tests replace.
const small = `{
 "version": "1.0", "truncation": null, "padding": null,
 "added_tokens": [],
 "normalizer": null,
 "pre_tokenizer": {"type": "BertPreTokenizer"},
 "post_processor": null,
 "decoder": null,
 "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": {"[UNK]": 0, "a": 1}}
}`

const (
	smallPre   = `{"type": "BertPreTokenizer"}`
	smallModel = `{"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": {"[UNK]": 0, "a": 1}}`
)

func TestErrorsNameComponentAndFile(t *testing.T) {
	for _, c := range []struct{ old, new, expected string }{
		{`"truncation": null,`, `"truncation": nul,`, `broken JSON at line 2, byte 39: invalid character ',' in literal null (expecting 'l')`},
		{small[len(small)-3:], ``, `broken JSON at line 8, byte 342: unexpected end of JSON input`},
		{`"a": 1`, "\"\xff\": 1", `not valid UTF-8`},
		{`"1.0"`, `"2.0"`, `version "2.0" is not supported, expected 1.0`},
		{`"normalizer": null`, `"normalizer": {"type": "Precompiled"}`, `normalizer Precompiled is not supported`},
		{`"normalizer": null`, `"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Nmt"}]}`, `normalizer Sequence[1] Nmt is not supported`},
		{`"normalizer": null`, `"normalizer": {"type": "Replace", "pattern": {"Regex": "a+"}, "content": ""}`, `normalizer Replace: pattern Regex "a+" is not supported`},
		{`"normalizer": null`, `"normalizer": {"type": "Replace", "pattern": {"String": ""}, "content": ""}`, `normalizer Replace: pattern is empty`},
		{`"normalizer": null`, `"normalizer": {"type": "BertNormalizer", "clean_text": true, "lowercase": true}`, `normalizer BertNormalizer: "handle_chinese_chars" is missing`},
		{`"normalizer": null`, `"normalizer": {"type": "Prepend", "prepend": 3}`, `normalizer Prepend: prepend: found number, expected a string`},
		{`"normalizer": null`, `"normalizer": []`, `normalizer: found array, expected an object`},
		{smallPre, `{}`, `pre_tokenizer: no type`},
		{smallPre, `{"type": "a\nb"}`, `pre_tokenizer: type "a\nb" is not supported`},
		{smallPre, `{"type": "UnicodeScripts"}`, `pre_tokenizer UnicodeScripts is not supported`},
		{smallPre, `{"type": "Split", "pattern": {"Regex": "\\w+"}, "behavior": "Isolated", "invert": false}`, `pre_tokenizer Split: pattern Regex "\\w+" is not supported`},
		{smallPre, `{"type": "Split", "pattern": {"String": "a"}, "behavior": "Halved", "invert": false}`, `pre_tokenizer Split: behavior "Halved" is unknown`},
		{smallPre, `{"type": "Sequence", "pretokenizers": [{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true}, {"type": "BertPreTokenizer"}]}`, `pre_tokenizer Sequence: ByteLevel before another pre-tokenizer is not supported`},
		{smallPre, `{"type": "Metaspace", "replacement": "__"}`, `pre_tokenizer Metaspace: replacement "__" is not one character`},
		{smallPre, `{"type": "Metaspace", "replacement": "_", "prepend_scheme": "last"}`, `pre_tokenizer Metaspace: prepend_scheme "last" is unknown`},
		{smallPre, `{"type": "Metaspace", "replacement": "_", "add_prefix_space": false}`, `pre_tokenizer Metaspace: add_prefix_space false contradicts prepend_scheme "always"`},
		{`"post_processor": null`, `"post_processor": {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[X]", "type_id": 0}}], "pair": [], "special_tokens": {}}`, `post_processor TemplateProcessing: single names "[X]", which special_tokens lacks`},
		{`"post_processor": null`, `"post_processor": {"type": "TemplateProcessing", "single": [], "pair": [], "special_tokens": {}}`, `post_processor TemplateProcessing: single holds sequence A 0 times, expected once`},
		{`"post_processor": null`, `"post_processor": {"type": "BertProcessing", "sep": ["[UNK]", 0], "cls": ["[UNK]"]}`, `post_processor BertProcessing: found 1 entries, expected a token and its id`},
		{`"post_processor": null`, `"post_processor": {"type": "BertProcessing", "sep": ["[UNK]", 0], "cls": ["[UNK]", -1]}`, `post_processor BertProcessing: a special token has the negative id -1`},
		{`"decoder": null`, `"decoder": {"type": "Strip", "content": "", "start": 1, "stop": 0}`, `decoder Strip: content "" is not one character`},
		{`"decoder": null`, `"decoder": {"type": "CTC"}`, `decoder CTC is not supported`},
		{smallModel, `null`, `model is missing`},
		{smallModel, `{"type": "Unigram", "vocab": []}`, `model Unigram is not supported`},
		{`"unk_token": "[UNK]"`, `"unk_token": "[NO]"`, `model WordPiece: unk_token "[NO]" is not in the vocabulary`},
		{`"a": 1`, `"a": "one"`, `model WordPiece: vocab: found string, expected a number (int32)`},
		{`"a": 1`, `"a": -1`, `model WordPiece: token "a" has the negative id -1`},
		{smallModel, `{"type": "BPE", "vocab": {"a": 0}}`, `model BPE: "merges" is missing`},
		{smallModel, `{"type": "BPE", "merges": []}`, `model BPE: "vocab" is missing`},
		{smallModel, `{"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]}`, `model BPE: merge 0 ("a" "b"): "b" is not in the vocabulary`},
		{smallModel, `{"type": "BPE", "vocab": {"a": 0}, "merges": ["ab"]}`, `model BPE: merge 0 is "ab", expected two tokens and a blank between them`},
		{smallModel, `{"type": "BPE", "vocab": {"a": 0}, "merges": [["a"]]}`, `model BPE: merge 0 has 1 parts, expected 2`},
		{smallModel, `{"type": "BPE", "vocab": {"a": 0}, "merges": [], "unk_token": "u"}`, `model BPE: unk_token "u" is not in the vocabulary`},
		{smallModel, `{"type": "BPE", "vocab": {"a": 0}, "merges": [], "dropout": 0.1}`, `model BPE: dropout 0.1 is not supported`},
		{smallModel, `{"type": "BPE", "vocab": {"a": 0}, "merges": [], "end_of_word_suffix": "</w>"}`, `model BPE: end_of_word_suffix "</w>" is not supported`},
		{smallModel, `{"type": "BPE", "vocab": {"a": 0}, "merges": [], "continuing_subword_prefix": "##"}`, `model BPE: continuing_subword_prefix "##" is not supported`},
		{`"added_tokens": []`, `"added_tokens": [{"id": "x"}]`, `added_tokens: id: found string, expected a number (int32)`},
	} {
		broken := strings.Replace(small, c.old, c.new, 1)
		if broken == small {
			t.Fatalf("the test replaces nothing: %s", c.old)
		}
		_, err := Parse("model", []byte(broken), nil)
		checkError(t, err, "load tokenizer: model/tokenizer.json: "+c.expected)
	}
}

func checkError(t *testing.T, err error, expected string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, expected %q", expected)
	} else if err.Error() != expected {
		t.Errorf("got      %q\nexpected %q", err, expected)
	}
}

func TestConfigErrors(t *testing.T) {
	for config, expected := range map[string]string{
		"{\n\"eos_token\": }": `broken JSON at line 2, byte 16: invalid character '}' looking for beginning of value`,
		`{"eos_token": 5}`:    `eos_token: found number, expected a string`,
		`{"added_tokens_decoder": {"x": {"content": "a"}}}`: `added_tokens_decoder: "x" is not an id`,
	} {
		_, err := Parse("model", []byte(small), []byte(config))
		checkError(t, err, "load tokenizer: model/tokenizer_config.json: "+expected)
	}
}

func TestLoadErrors(t *testing.T) {
	dir := t.TempDir()
	_, err := Load(dir)
	checkError(t, err, "load tokenizer: "+dir+" has no tokenizer.json, no vocab.txt and no vocab.json with merges.txt")

	write(t, dir, "vocab.json", `{"a": 0, "b": 1}`)
	_, err = Load(dir)
	checkError(t, err, "load tokenizer: open "+filepath.Join(dir, "merges.txt")+": no such file or directory")

	write(t, dir, "merges.txt", "#version: 0.2\na b c\n")
	_, err = Load(dir)
	checkError(t, err, "load tokenizer: "+filepath.Join(dir, "merges.txt")+`: merge 0 is "a b c", expected two tokens and a blank between them`)

	write(t, dir, "merges.txt", "#version: 0.2\n")
	write(t, dir, "config.json", `{"model_type": "roberta"}`)
	_, err = Load(dir)
	checkError(t, err, "load tokenizer: "+dir+`: vocab.json with merges.txt is supported for GPT2Tokenizer and Qwen2Tokenizer, found tokenizer_class "" and model_type "roberta"`)

	write(t, dir, "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n")
	_, err = Load(dir)
	checkError(t, err, "load tokenizer: "+filepath.Join(dir, "vocab.txt")+`: the token "[SEP]" is missing`)

	write(t, dir, "special_tokens_map.json", "{")
	write(t, dir, "tokenizer.json", small)
	_, err = Load(dir)
	checkError(t, err, "load tokenizer: "+filepath.Join(dir, "special_tokens_map.json")+": broken JSON at line 1, byte 1: unexpected end of JSON input")
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestGGUFErrors(t *testing.T) {
	valid := GGUFVocab{Tokens: []string{"a", "b"}, Model: "gpt2", Pre: "gpt-2", BOS: -1, EOS: -1, PAD: -1, UNK: -1}
	for _, c := range []struct {
		change   func(*GGUFVocab)
		expected string
	}{
		{func(v *GGUFVocab) { v.Tokens = nil }, "tokenizer.ggml.tokens is empty"},
		{func(v *GGUFVocab) { v.Types = []int32{1} }, "tokenizer.ggml.token_type has 1 entries, expected 2, one a token"},
		{func(v *GGUFVocab) { v.EOS = 2 }, "eos_token is id 2, but there are 2 tokens"},
		{func(v *GGUFVocab) { v.Tokens[1] = "\xff" }, `token 1 ("\xff") is not valid UTF-8`},
		{func(v *GGUFVocab) { v.Model = "t5" }, `tokenizer.ggml.model "t5" is not supported, expected gpt2 or llama`},
		{func(v *GGUFVocab) { v.Pre = "tekken" }, `tokenizer.ggml.pre "tekken" is not supported, expected gpt-2, smollm, llama-bpe or qwen2`},
		{func(v *GGUFVocab) { v.Merges = []string{"ab"} }, `tokenizer.ggml.merges: merge 0 is "ab", expected two tokens and a blank between them`},
		{func(v *GGUFVocab) { v.Merges = []string{"a b"} }, `tokenizer.ggml: model BPE: merge 0 ("a" "b"): "ab" is not in the vocabulary`},
		{func(v *GGUFVocab) { v.Model = "llama" }, "tokenizer.ggml.scores is missing"},
	} {
		v := valid
		v.Tokens = []string{"a", "b"}
		c.change(&v)
		_, err := FromGGUF(v)
		checkError(t, err, "build tokenizer of GGUF: "+c.expected)
	}
}

func TestFilesWithoutEOS(t *testing.T) {
	tok, err := Parse("model", []byte(small), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = tok.Files(true)
	checkError(t, err, "append EOS: the tokenizer has no eos_token")
}
