package reproduce

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"revela/data/jsonl"
	"revela/data/permute"
	"revela/internal/atomicfile"
	"revela/model"
	"revela/model/checkpoint"
	"revela/model/tokenizer"
	"revela/torch"
)

// The scale tiny: two random models that know whole words, made documents, and a collection whose queries share rare words
// with their document. A model that encodes, pools and searches as it should finds most of them; a chain with a fault
// finds few.
const (
	TinyDocuments = 64 // and queries

	tinyName  = "tiny" // of the collection
	tinyWords = 400    // that all documents share
	tinyRare  = 6      // words of one document alone
	tinySteps = 4

	tinyScore     = 0.62 // NDCG@10 that this program measured, over all experiments; chance is 0.07
	tinyTolerance = 0.1
)

// made is a path below what the step make writes.
func (p *Plan) made(elem ...string) string {
	return path.Join(append([]string{p.root(), "made"}, elem...)...)
}

func (p *Plan) tinyGroups() string {
	return path.Join(p.root(), "groups", path.Base(p.Corpus.Groups[0].ID)+".jsonl.zst")
}

// tinySettings make a training of seconds of any experiment.
func (p *Plan) tinySettings() []string {
	return []string{"precision=fp32", "retriever.checkpoint=" + p.made("retriever"), "retriever.lora.rank=8", "lm.checkpoint=" + p.made("lm"),
		"lm.lora.rank=8", fmt.Sprintf("train.steps=%d", tinySteps), "train.groups_per_step=2", "train.warmup_steps=1", "train.save_every=1"}
}

// MakeTiny writes the models, documents and collection of the scale tiny to a folder, which appears complete or not at all.
// They are the same every time.
func MakeTiny(dir string) error {
	return atomicfile.Dir(dir, func(tmp string) error {
		if err := writeTinyModels(tmp); err != nil {
			return err
		}
		var training, corpus, queries []any
		qrels := "query-id\tcorpus-id\tscore\n"
		for i := range TinyDocuments {
			training = append(training, map[string]string{"_id": fmt.Sprintf("t%d", i), "text": tinyText(uint64(i), nil, 40)})
			rare := rareWords(i)
			corpus = append(corpus, map[string]string{"_id": fmt.Sprintf("d%d", i), "title": "", "text": tinyText(uint64(1000+i), rare, 2)})
			queries = append(queries, map[string]string{"_id": fmt.Sprintf("q%d", i), "text": strings.Join(rare[:tinyRare/2], " ")})
			qrels += fmt.Sprintf("q%d\td%d\t1\n", i, i)
		}
		collection := filepath.Join(tmp, tinyName)
		if err := os.MkdirAll(filepath.Join(collection, "qrels"), 0o755); err != nil {
			return err
		}
		return errors.Join(
			writeLines(filepath.Join(tmp, "documents.jsonl"), training),
			writeLines(filepath.Join(collection, "corpus.jsonl"), corpus),
			writeLines(filepath.Join(collection, "queries.jsonl"), queries),
			os.WriteFile(filepath.Join(collection, "qrels", "test.tsv"), []byte(qrels), 0o644),
		)
	})
}

func writeLines(path string, lines []any) error {
	return jsonl.Write(path, func(put func(any) error) error {
		for _, line := range lines {
			if err := put(line); err != nil {
				return err
			}
		}
		return nil
	})
}

// tinyText draws sentences of 10 common words; three of four are rare ones where there are any.
func tinyText(seed uint64, rare []string, sentences int) string {
	var all []string
	for i := range sentences {
		words := make([]string, 10)
		for j := range words {
			words[j] = tinyWord(int(permute.Key(seed, uint64(i), uint64(j)) % tinyWords))
		}
		for j := range words {
			if len(rare) > 0 && j%4 > 0 {
				words[j] = rare[(i+j)%len(rare)]
			}
		}
		all = append(all, strings.ToUpper(words[0][:1])+words[0][1:]+" "+strings.Join(words[1:], " ")+".")
	}
	return strings.Join(all, " ")
}

func rareWords(document int) []string {
	words := make([]string, tinyRare)
	for i := range words {
		words[i] = tinyWord(tinyWords + document*tinyRare + i)
	}
	return words
}

// tinyWord spells a number in syllables.
func tinyWord(n int) string {
	var word string
	for range 3 {
		word += string("bdfgklmnprstvz"[n%14]) + string("aeiou"[n/14%5])
		n /= 70
	}
	return word
}

// writeTinyModels draws a retriever and a language model of two layers.
func writeTinyModels(dir string) error {
	tokens, vocabulary, err := tinyTokenizer()
	if err != nil {
		return err
	}
	if err := torch.Seed(1); err != nil {
		return err
	}
	for _, name := range []string{"retriever", "lm"} {
		c, err := TinyShape(vocabulary)
		if err != nil {
			return err
		}
		network, err := model.RandomLanguageModel(c, model.Options{Compute: torch.Float32})
		if err != nil {
			return err
		}
		err = model.ExportTransformers(filepath.Join(dir, name), model.Export{Network: network, Config: c, Tokenizer: tokens})
		network.Free()
		if err != nil {
			return err
		}
	}
	return nil
}

// TinyVocabulary is the number of tokens of the tiny models.
const TinyVocabulary = 4 + 4 + tinyWords + TinyDocuments*tinyRare

// TinyShape is config.json of the tiny models.
func TinyShape(vocabulary int) (*checkpoint.Config, error) {
	return checkpoint.ParseConfig("config.json", fmt.Appendf(nil, `{"model_type": "llama", "architectures": ["LlamaForCausalLM"],
		"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4, "intermediate_size": 256,
		"vocab_size": %d, "max_position_embeddings": 2048, "hidden_act": "silu", "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
		"tie_word_embeddings": true, "bos_token_id": 1, "eos_token_id": 2}`, vocabulary))
}

// tinyTokenizer has a token for every word.
func tinyTokenizer() (t *tokenizer.Tokenizer, vocabulary int, err error) {
	vocab := map[string]int{}
	for _, word := range []string{"[UNK]", "<s>", "</s>", "<pad>", "query", "passage", ":", "."} {
		vocab[word] = len(vocab)
	}
	for i := range tinyWords + TinyDocuments*tinyRare {
		vocab[tinyWord(i)] = len(vocab)
	}
	special := func(id int, content string) map[string]any {
		return map[string]any{"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}
	}
	file, err := json.Marshal(map[string]any{
		"version": "1.0", "truncation": nil, "padding": nil,
		"added_tokens":  []any{special(0, "[UNK]"), special(1, "<s>"), special(2, "</s>"), special(3, "<pad>")},
		"normalizer":    map[string]any{"type": "Lowercase"},
		"pre_tokenizer": map[string]any{"type": "Whitespace"},
		"post_processor": map[string]any{"type": "TemplateProcessing",
			"single": []any{map[string]any{"SpecialToken": map[string]any{"id": "<s>", "type_id": 0}}, map[string]any{"Sequence": map[string]any{"id": "A", "type_id": 0}}},
			"pair":   []any{map[string]any{"Sequence": map[string]any{"id": "A", "type_id": 0}}, map[string]any{"Sequence": map[string]any{"id": "B", "type_id": 1}}},
			"special_tokens": map[string]any{
				"<s>": map[string]any{"id": "<s>", "ids": []int{1}, "tokens": []string{"<s>"}}}},
		"decoder": map[string]any{"type": "WordPiece", "prefix": "##", "cleanup": false},
		"model":   map[string]any{"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": vocab},
	})
	if err != nil {
		return nil, 0, err
	}
	settings := `{"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "[UNK]", "pad_token": "<pad>", "model_max_length": 2048}`
	t, err = tokenizer.Parse("tiny tokenizer", file, []byte(settings))
	return t, len(slices.Collect(maps.Keys(vocab))), err
}
