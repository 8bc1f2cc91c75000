package cli

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"revela/internal/atomicfile"
	"revela/internal/npy"
)

// A collection that cannot be right is refused by evaluate with one line that names file and line.
func TestFixtureBadCollections(t *testing.T) {
	const document = `{"_id": "d1", "text": "parse a date"}` + "\n"
	for _, test := range []struct {
		name, file, content string // of a collection's file; "": it is removed
		want                string
	}{
		{"no corpus", "corpus.jsonl", "", "DIR/tiny has no corpus.jsonl (nor .gz, .zst)"},
		{"no queries", "queries.jsonl", "", "DIR/tiny has no queries.jsonl (nor .gz, .zst)"},
		{"no judgements", "qrels/test.tsv", "", "DIR/tiny has no judgements: no qrels/test.tsv"},
		{"empty corpus", "corpus.jsonl", "\n", "DIR/tiny/corpus.jsonl: no documents"},
		{"empty judgements", "qrels/test.tsv", "query-id\tcorpus-id\tscore\n", "DIR/tiny/qrels/test.tsv: no judgements"},
		{"duplicate document", "corpus.jsonl", document + `{"_id": "d2", "text": ""}` + "\n" + document, `DIR/tiny/corpus.jsonl:3: _id "d1" is already used on line 1`},
		{"duplicate query", "queries.jsonl", `{"_id": "q1", "text": "a"}` + "\n" + `{"_id": "q1", "text": "b"}`, `DIR/tiny/queries.jsonl:2: _id "q1" is already used on line 1`},
		{"unknown query", "qrels/test.tsv", "q1\td1\t1\nq9\td1\t1\n",
			`DIR/tiny/qrels/test.tsv:2: queries.jsonl has no query "q9" (unknown documents in 0 judgements, unknown queries in 1)`},
		{"unknown document", "qrels/test.tsv", "q1\td1\t1\nq1\td9\t1\n",
			`DIR/tiny/qrels/test.tsv:2: corpus.jsonl has no document "d9" (unknown documents in 1 judgements, unknown queries in 0)`},
		{"judged twice", "qrels/test.tsv", "q1\td1\t1\nq1\td1\t0\n", `DIR/tiny/qrels/test.tsv:2: query "q1" judges document "d1" twice`},
		{"level", "qrels/test.tsv", "q1\td1\thigh\nq1\td1\thigh\n", `DIR/tiny/qrels/test.tsv:2: relevance level "high", expected a whole number from -32768 to 32767`},
		{"no text", "corpus.jsonl", `{"_id": "d1"}`, `DIR/tiny/corpus.jsonl:1: no key "text"`},
		{"no id", "queries.jsonl", `{"text": "a"}`, `DIR/tiny/queries.jsonl:1: no key "_id"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBadInput(t)
			b.write("tiny/"+test.file, test.content)
			if test.content == "" {
				if err := os.Remove(b.path("tiny/" + test.file)); err != nil {
					t.Fatal(err)
				}
			}
			b.requireRefusal("evaluate", "--collection DIR/tiny: evaluate.collections[0]: open collection: "+test.want)
		})
	}
}

// Weights that are all finite and whose embeddings are not: the document or query is named, nothing is written.
func TestFixtureNaNEmbedding(t *testing.T) {
	b := newBadInput(t)
	b.change("retriever/model.safetensors", func(file []byte) []byte {
		var header map[string]struct {
			Offsets [2]int `json:"data_offsets"`
			Dtype   string `json:"dtype"`
		}
		start := dataStart(file)
		if err := json.Unmarshal(bytes.ReplaceAll(file[8:start], []byte(`"__metadata__":{"format":"pt"},`), nil), &header); err != nil {
			t.Fatal(err)
		}
		norm := header["model.norm.weight"]
		if norm.Dtype != "F32" {
			t.Fatalf("model.norm.weight is %+v", norm)
		}
		for at := norm.Offsets[0]; at < norm.Offsets[1]; at += 4 {
			binary.LittleEndian.PutUint32(file[start+at:], math.Float32bits(math.MaxFloat32))
		}
		return file
	})
	stdout, stderr, status := run(t, "evaluate", "--model", b.path("retriever"), "--collection", b.path("tiny"), "--output", b.path("out/scores"), "--no-cache", "--no-baseline")
	want := fmt.Sprintf("revela: evaluate tiny: search: query 1: the embedding has NaN in dimension 1 of %d\n", b.width())
	if lines := errorLines(stderr); status != statusFailed || stdout != "" || lines != want {
		t.Errorf("status %d, output %q\n got %s\nwant %s", status, stdout, lines, want)
	}
	if left := b.files("out"); len(left) > 0 {
		t.Errorf("left behind %v", left)
	}
}

// width is the length of the retriever's vectors.
func (b badInput) width() int {
	b.t.Helper()
	content, err := os.ReadFile(b.path("retriever/config.json"))
	if err != nil {
		b.t.Fatal(err)
	}
	var shape struct {
		Width int `json:"hidden_size"`
	}
	if err := json.Unmarshal(content, &shape); err != nil || shape.Width == 0 {
		b.t.Fatalf("hidden_size %d, %v", shape.Width, err)
	}
	return shape.Width
}

// errorLines are the lines of the program's errors, without its progress.
func errorLines(stderr string) string {
	var lines strings.Builder
	for line := range strings.Lines(stderr) {
		if strings.HasPrefix(line, "revela: ") {
			lines.WriteString(line)
		}
	}
	return lines.String()
}

// Vectors of another model, or with a NaN, are refused by search.
func TestFixtureBadVectors(t *testing.T) {
	width := newBadInput(t).width()
	for _, test := range []struct {
		name   string
		dim    int
		second float32 // the first number of the second vector
		want   string
	}{
		{"other dimension", 2, 1, fmt.Sprintf("DIR/vectors.npy: vectors of dimension 2, expected %d as DIR/retriever makes", width)},
		{"NaN", width, float32(math.NaN()), fmt.Sprintf(`search: document "d2": the embedding has NaN in dimension 1 of %d`, width)},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBadInput(t)
			values := make([]float32, 2*test.dim)
			values[0], values[test.dim] = 1, test.second
			var content bytes.Buffer
			if err := npy.WriteHeader(&content, 2, test.dim); err != nil {
				t.Fatal(err)
			}
			if err := npy.WriteRows(&content, values); err != nil {
				t.Fatal(err)
			}
			if err := atomicfile.WriteBytes(b.path("vectors.npy"), content.Bytes()); err != nil {
				t.Fatal(err)
			}
			b.write("vectors.ids.txt", "d1\nd2\n")
			b.requireRefusal("search", test.want, "--corpus", b.path("vectors.npy"))
		})
	}
}

// Judgements and runs that cannot be right are refused by score with one line.
func TestBadRuns(t *testing.T) {
	const qrels, ranking = "q1 0 d1 1\n", "q1 Q0 d1 1 2.5 x\n"
	for _, test := range []struct{ name, qrels, run, want string }{
		{"empty judgements", "\n", ranking, "DIR/qrels: no judgements"},
		{"columns of judgements", "q1 0 d1 1\nq1 0\n", ranking, "DIR/qrels:2: 2 columns, expected 4: query, iteration, document and level"},
		{"judged twice", qrels + qrels, ranking, `DIR/qrels:2: query "q1" judges document "d1" twice`},
		{"NaN score", qrels, "q1 Q0 d1 1 NaN x\n", `DIR/run:1: score "NaN", expected a finite number`},
		{"found twice", qrels, ranking + ranking, `DIR/run:2: query "q1" returns document "d1" twice`},
		{"other queries", qrels, "q2 Q0 d1 1 2.5 x\n", "score: none of the 1 judged queries has results"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir+"/qrels", test.qrels)
			write(t, dir+"/run", test.run)
			requireFailure(t, 1, strings.ReplaceAll(test.want, "DIR", dir), "score", "--qrels", dir+"/qrels", "--run", dir+"/run")
		})
	}
}
