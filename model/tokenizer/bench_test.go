package tokenizer

import (
	"strings"
	"testing"

	"revela/internal/testdata"
)

// benchmarkLines are every tenth line of real text: documentation, code, prose.
func benchmarkLines(b *testing.B) []string {
	b.Helper()
	var out []string
	n := 0
	for _, file := range []string{"text-peps/docs.jsonl", "text-manpages/docs.jsonl", "text-wikitext2/docs.jsonl", "text-tldr/docs.jsonl", "text-pydocs-snippets/docs.jsonl", "scifact/corpus.jsonl", "cosqa/corpus.jsonl"} {
		for text := range collection(b, testdata.Data(b, file), true) {
			if n++; n%10 == 0 && text != "" {
				out = append(out, text)
			}
		}
	}
	return out
}

func BenchmarkEncode(b *testing.B) {
	lines := benchmarkLines(b)
	for _, name := range []string{"tokenizers/bert-uncased", "tokenizers/gpt2", "tokenizers/smollm2", "tokenizers/llama3", "stories260K/hf"} {
		tok, err := Load(testdata.Data(b, name))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(label(name)+"/one", func(b *testing.B) {
			b.ReportAllocs()
			i, bytes := 0, 0
			for b.Loop() {
				bytes += len(lines[i])
				tok.Encode(lines[i])
				i = (i + 1) % len(lines)
			}
			report(b, bytes)
		})
		b.Run(label(name)+"/all", func(b *testing.B) {
			bytes := 0
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i = (i + 1) % len(lines) {
					tok.Encode(lines[i])
				}
			})
			for i := range b.N {
				bytes += len(lines[i%len(lines)])
			}
			report(b, bytes)
		})
	}
}

// label is the name of a tokenizer's folder without the slash, which separates benchmarks.
func label(name string) string {
	return strings.ReplaceAll(name, "/", "-")
}

func report(b *testing.B, bytes int) {
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lines/s")
	b.ReportMetric(float64(bytes)/1e6/b.Elapsed().Seconds(), "MB/s")
}

func BenchmarkLoad(b *testing.B) {
	for _, name := range []string{"tokenizers/bert-uncased", "tokenizers/smollm2", "tokenizers/llama3"} {
		dir := testdata.Data(b, name)
		b.Run(label(name), func(b *testing.B) {
			for b.Loop() {
				if _, err := Load(dir); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
