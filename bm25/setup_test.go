package bm25

import (
	"encoding/json"
	"testing"

	"revela/data/jsonl"
)

// BuildForTest is build, for the tests outside the package.
var BuildForTest = build

func builderOf(t testing.TB, options Options, corpus []string) *Builder {
	t.Helper()
	builder, err := NewBuilder(options)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range corpus {
		if err := builder.Add(text); err != nil {
			t.Fatal(err)
		}
	}
	return builder
}

func build(t testing.TB, options Options, corpus []string) *Index {
	t.Helper()
	index, err := builderOf(t, options, corpus).Build()
	if err != nil {
		t.Fatal(err)
	}
	return index
}

func buildFinder(t testing.TB, options Options, corpus []string) *Finder {
	t.Helper()
	finder, err := builderOf(t, options, corpus).BuildFinder()
	if err != nil {
		t.Fatal(err)
	}
	return finder
}

// textsOf reads the texts of a JSON Lines file.
func textsOf(t testing.TB, path string) (texts []string) {
	t.Helper()
	lines, err := jsonl.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer lines.Close()
	for lines.Next() {
		var document struct{ Text string }
		if err := json.Unmarshal(lines.Line().Text, &document); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, document.Text)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return texts
}
