package config

import (
	"path/filepath"
	"reflect"
	"testing"
)

// What YAML writes loads to the same configuration, nulls resolved, and writing that again changes nothing.
func TestYAMLRoundTrip(t *testing.T) {
	files, err := filepath.Glob("testdata/*.good.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		c, err := Load(file, nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := c.YAML()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse("again.yaml", text, nil)
		if err != nil {
			t.Fatalf("%s: %v\n%s", file, err, text)
		}
		requireSame(t, again, c)
		if second, err := again.YAML(); err != nil || string(second) != string(text) {
			t.Errorf("%s: written again it reads\n%s\nnot\n%s", file, second, text)
		}
	}
}

func TestDiff(t *testing.T) {
	a := Default()
	b, err := Parse("", nil, []string{
		"seed=1", "data.max_length.query=40", "retriever.lora.rank=8", "evaluate.metrics=[map]", "train.optimizer.beta2=0.98",
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := Diff(a, b)
	if err != nil {
		t.Fatal(err)
	}
	want := []Difference{
		{"seed", "42", "1"},
		{"retriever.lora", "null", "{rank: 8, alpha: 64, dropout: 0.1, targets: all-linear}"},
		{"data.max_length", "156", "{query: 40, text: 156}"},
		{"train.optimizer.beta2", "0.999", "0.98"},
		{"evaluate.metrics", "[ndcg@10, recall@100, mrr@10, map]", "[map]"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
	c, err := Parse("", nil, []string{"retriever.lora.rank=16"})
	if err != nil {
		t.Fatal(err)
	}
	b.Retriever.LoRA.Targets = Targets{"q_proj"}
	got, err = Diff(&Config{Retriever: b.Retriever}, &Config{Retriever: c.Retriever})
	want = []Difference{{"retriever.lora.rank", "8", "16"}, {"retriever.lora.targets", "[q_proj]", "all-linear"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v\nwant %v", got, err, want)
	}
}

func TestGetUnknownKey(t *testing.T) {
	for _, key := range []string{"", "sed", "train.", "train.steps.x", "places", "retriever.lora.rank"} {
		if v, ok := Default().Get(key); ok {
			t.Errorf("Get(%q) = %v", key, v)
		}
	}
}
