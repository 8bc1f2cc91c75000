package encode

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"

	"revela/evaluate"
	"revela/internal/fixture"
	"revela/model"
	"revela/torch"
)

func ptr[T any](x T) *T { return &x }

// A plain decoder has no prompt, is pooled on EOS, gives unit vectors and reads as much as its positions allow, up to 512.
func TestFixtureOpenPlainModel(t *testing.T) {
	e := openModel(t, OpenOptions{Model: tinyModel(t)})
	want := model.RetrieverSettings{Pooling: model.PoolEOS, Normalize: true, MaxLength: min(512, e.Config.MaxPositionEmbeddings),
		AppendEOS: model.EndsWithEOS(e.Retriever.Tokenizer, model.PoolEOS)}
	if got := e.Retriever.RetrieverSettings; got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if e.Precision != torch.Float32 || e.Name() != tinyModel(t) {
		t.Errorf("precision %s, name %s", e.Precision, e.Name())
	}
	changed := map[string]string{"config.json": changedConfig(t, "max_position_embeddings", 100)}
	short := openModel(t, OpenOptions{Model: copyModel(t, tinyModel(t), changed)})
	if short.Retriever.MaxLength != 100 {
		t.Errorf("length %d of a model with 100 positions", short.Retriever.MaxLength)
	}
}

// changedConfig is the tiny model's config.json with another value of a key.
func changedConfig(t *testing.T, key string, value any) string {
	t.Helper()
	return changedJSON(t, filepath.Join(tinyModel(t), "config.json"), key, value)
}

func changedJSON(t *testing.T, path, key string, value any) string {
	t.Helper()
	var config map[string]any
	if err := json.Unmarshal([]byte(read(t, path)), &config); err != nil {
		t.Fatal(err)
	}
	config[key] = value
	content, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// Options win over the model's own files, and an empty prefix is not an absent one.
func TestFixtureOpenOwnSettings(t *testing.T) {
	own := model.RetrieverSettings{Pooling: model.PoolMean, AppendEOS: true, QueryPrefix: "q: ", PassagePrefix: "p: ", MaxLength: 40}
	dir := exportTiny(t, own)
	e := openModel(t, OpenOptions{Model: dir, Pooling: "auto"})
	want := own
	want.AppendEOS = false // the folder's tokenizer does it
	if got := e.Retriever.RetrieverSettings; got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	plain := openModel(t, OpenOptions{Model: tinyModel(t), Pooling: "mean", Normalize: ptr(false), AppendEOS: ptr(true),
		QueryPrefix: ptr("q: "), PassagePrefix: ptr("p: "), MaxLength: 40, BatchTokens: 1})
	for _, kind := range []evaluate.Kind{evaluate.Query, evaluate.Passage} {
		fixture.Close(t, "exported", vectors(t, e, texts, kind), vectors(t, plain, texts, kind), 1e-6)
	}
	none := openModel(t, OpenOptions{Model: dir, QueryPrefix: ptr(""), MaxLength: 20, Pooling: "cls", Search: true})
	want = model.RetrieverSettings{Pooling: model.PoolCLS, PassagePrefix: "p: ", MaxLength: 20}
	if got := none.Retriever.RetrieverSettings; got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// A model whose files name the cosine and no normalisation gives unit vectors for a search alone.
func TestFixtureOpenForSearch(t *testing.T) {
	dir := exportTiny(t, model.RetrieverSettings{Pooling: model.PoolMean, MaxLength: 40})
	settings := filepath.Join(dir, "config_sentence_transformers.json")
	for similarity, normalized := range map[string]bool{"dot": false, "cosine": true} {
		write(t, settings, `{"similarity_fn_name": "`+similarity+`"}`)
		if e := openModel(t, OpenOptions{Model: dir, Search: true}); e.Retriever.Normalize != normalized {
			t.Errorf("%s: normalised is %v", similarity, e.Retriever.Normalize)
		}
		if e := openModel(t, OpenOptions{Model: dir}); e.Retriever.Normalize {
			t.Errorf("%s: normalised without a search", similarity)
		}
	}
	write(t, settings, `{"similarity_fn_name": "manhattan"}`)
	requireOpenError(t, dir+`: similarity "manhattan" found, cosine or dot expected`, OpenOptions{Model: dir, Search: true})
}

// An empty text is encoded like any other, as long as the model has a token for it.
func TestFixtureEncodeNoToken(t *testing.T) {
	e := openModel(t, OpenOptions{Model: fixture.Path(t, "tiny-qwen2", "retriever"), AppendEOS: ptr(false)})
	last := 0
	_, _, err := e.Encode(context.Background(), []string{"x", ""}, evaluate.Query, func(done, _ int) { last = done })
	if len(e.Retriever.Tokenizer.Encode("")) > 0 {
		t.Skip("this tokenizer adds tokens of its own")
	}
	if want := `encode: text 2 of 2 has no token: ""`; err == nil || err.Error() != want || last != 0 {
		t.Errorf("got %v after %d texts, want %s", err, last, want)
	}
}

func TestFixtureOpenPaper(t *testing.T) {
	o := OpenOptions{Model: tinyModel(t)}
	o.Paper()
	e := openModel(t, o)
	r := e.Retriever
	if r.QueryPrefix != "query:  " || r.PassagePrefix != "passage:  " || r.MaxLength != 2048 || e.Precision != torch.BFloat16 {
		t.Errorf("got %+v, %s", r.RetrieverSettings, e.Precision)
	}
	o.Precision = "fp32"
	stripped := openModel(t, o)
	fixture.Close(t, "stripped", vectors(t, stripped, []string{"Rain again. \n"}, evaluate.Query),
		vectors(t, stripped, []string{"Rain again."}, evaluate.Query), 0)
}

// An adapter is merged whether it is named beside its model or names it.
func TestFixtureOpenAdapter(t *testing.T) {
	adapter := fixture.Path(t, "accumulate-llama", "step-5", "retriever")
	named := changedJSON(t, filepath.Join(adapter, "adapter_config.json"), "base_model_name_or_path", tinyModel(t))
	naming := copyModel(t, adapter, map[string]string{"adapter_config.json": named})

	apart := openModel(t, OpenOptions{Model: tinyModel(t)})
	before := vectors(t, apart, texts, evaluate.Query)
	if _, err := model.LoadAdapter(apart.Retriever.Network, adapter, false); err != nil {
		t.Fatal(err)
	}
	want := vectors(t, apart, texts, evaluate.Query)
	if fixture.Difference(t, before, want) < 1e-3 {
		t.Error("the adapter changes nothing, so this test proves nothing")
	}
	beside := openModel(t, OpenOptions{Model: tinyModel(t), Adapter: adapter})
	fixture.Close(t, "adapter beside its model", vectors(t, beside, texts, evaluate.Query), want, 2e-6)
	if beside.Settings()["adapter"] != adapter {
		t.Errorf("settings %v do not name the adapter", beside.Settings())
	}
	itself := openModel(t, OpenOptions{Model: naming})
	fixture.Close(t, "adapter that names its model", vectors(t, itself, texts, evaluate.Query), want, 2e-6)

	nameless := copyModel(t, adapter, map[string]string{"adapter_config.json": "{\n \"base_model_name_or_path\": null\n}"})
	requireOpenError(t, filepath.Join(nameless, "adapter_config.json")+
		`:2: base_model_name_or_path: found null, expected the name of the adapter's model`, OpenOptions{Model: nameless})
	absent := copyModel(t, adapter, map[string]string{"adapter_config.json": `{"base_model_name_or_path": "../absent"}`})
	requireOpenError(t, filepath.Join(absent, "adapter_config.json")+`: base_model_name_or_path: resolve checkpoint "../absent": `+
		`no such folder, and it is no HuggingFace id (org/name) or pypi:PACKAGE==VERSION`, OpenOptions{Model: absent})
}

func TestFixtureOpenErrors(t *testing.T) {
	tok, err := model.LoadTokenizer(tinyModel(t))
	if err != nil {
		t.Fatal(err)
	}
	last := tok.VocabSize() - 1
	small := copyModel(t, tinyModel(t), map[string]string{"config.json": changedConfig(t, "vocab_size", last)})
	requireOpenError(t, fmt.Sprintf("%s: the tokenizer has ids up to %d, the model embeddings for %d tokens", small, last, last), OpenOptions{Model: small})
	requireOpenError(t, `resolve checkpoint "./absent": no such folder, and it is no HuggingFace id (org/name) or pypi:PACKAGE==VERSION`,
		OpenOptions{Model: "./absent"})
	requireOpenError(t, `find adapter: resolve checkpoint "./absent": no such folder, and it is no HuggingFace id (org/name) or pypi:PACKAGE==VERSION`,
		OpenOptions{Model: tinyModel(t), Adapter: "./absent"})
}

func requireOpenError(t *testing.T, want string, o OpenOptions) {
	t.Helper()
	e, err := Open(context.Background(), o)
	if err == nil {
		e.Close()
		t.Fatalf("opened %s, want the error %s", o.Model, want)
	}
	if err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
}
