package evaluate

import (
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// write puts a file below a fresh or given folder and returns its path.
func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// collectionFiles is a small collection that is in order.
func collectionFiles() map[string]string {
	return map[string]string{
		"corpus.jsonl": `{"_id": "d1", "title": "Tea", "text": "green leaves"}` + "\n" +
			`{"_id": "d2", "title": "", "text": "black beans"}` + "\n\n" +
			`{"_id": "d3", "text": "water", "metadata": {"x": 1}}` + "\n",
		"queries.jsonl":   `{"_id": "q1", "text": "leaves"}` + "\n" + `{"_id": "q2", "text": "beans"}` + "\n" + `{"_id": "q3", "text": "unjudged"}`,
		"qrels/test.tsv":  "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td3\t0\nq2\td2\t1\n",
		"qrels/train.tsv": "q3\td3\t1\n",
	}
}

func writeCollection(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "drinks")
	for name, content := range files {
		write(t, dir, name, content)
	}
	return dir
}

func TestOpenCollection(t *testing.T) {
	c, err := OpenCollection(writeCollection(t, collectionFiles()), "test")
	if err != nil {
		t.Fatal(err)
	}
	if c.Name != "drinks" || !reflect.DeepEqual(c.IDs, []string{"d1", "d2", "d3"}) || !reflect.DeepEqual(c.QueryTexts(), []string{"leaves", "beans"}) {
		t.Errorf("got name %q, documents %v, queries %v", c.Name, c.IDs, c.Queries)
	}
	want := Qrels{"q1": {"d1": 2, "d3": 0}, "q2": {"d2": 1}}
	if !reflect.DeepEqual(c.Qrels, want) || c.Qrels.Judgements() != 3 {
		t.Errorf("got judgements %v, want %v", c.Qrels, want)
	}
	for _, size := range []int{1, 2, 5} {
		var texts []string
		err := c.EachBlock(size, func(first int, block []string) error {
			if first != len(texts) || len(block) > size {
				t.Errorf("block of %d at %d, expected at most %d at %d", len(block), first, size, len(texts))
			}
			texts = append(texts, block...)
			return nil
		})
		if err != nil || !reflect.DeepEqual(texts, []string{"Tea green leaves", "black beans", "water"}) {
			t.Errorf("blocks of %d: got %q, %v", size, texts, err)
		}
	}
}

func TestOpenCompressedCollection(t *testing.T) {
	files := collectionFiles()
	corpus, queries := files["corpus.jsonl"], files["queries.jsonl"]
	delete(files, "corpus.jsonl")
	delete(files, "queries.jsonl")
	dir := writeCollection(t, files)
	var gz, zst strings.Builder
	zip := gzip.NewWriter(&gz)
	if _, err := zip.Write([]byte(corpus)); err != nil || zip.Close() != nil {
		t.Fatal(err)
	}
	encoder, err := zstd.NewWriter(&zst)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := encoder.Write([]byte(queries)); err != nil || encoder.Close() != nil {
		t.Fatal(err)
	}
	write(t, dir, "corpus.jsonl.gz", gz.String())
	write(t, dir, "queries.jsonl.zst", zst.String())
	c, err := OpenCollection(dir, "test")
	if err != nil {
		t.Fatal(err)
	}
	if len(c.IDs) != 3 || len(c.Queries) != 2 {
		t.Errorf("got %d documents and %d queries, want 3 and 2", len(c.IDs), len(c.Queries))
	}
	write(t, dir, "corpus.jsonl.gz", gz.String()[:gz.Len()/2])
	if _, err := OpenCollection(dir, "test"); err == nil || !strings.Contains(err.Error(), "corpus.jsonl.gz:") || !strings.Contains(err.Error(), "unexpected EOF") {
		t.Errorf("truncated file: %v", err)
	}
}

// TestCollectionErrors: each broken collection gives one line; DIR stands for its folder.
func TestCollectionErrors(t *testing.T) {
	ok := collectionFiles()
	tests := []struct{ name, file, content, split, want string }{
		{"broken JSON", "corpus.jsonl", ok["corpus.jsonl"] + `{"_id": "d4", "text": `, "test",
			"open collection: DIR/corpus.jsonl:5: broken JSON at byte 22: unexpected end of JSON input"},
		{"not an object", "corpus.jsonl", "[1]", "test", "open collection: DIR/corpus.jsonl:1: line is a JSON array, expected an object"},
		{"id is a number", "corpus.jsonl", `{"_id": 7, "text": ""}`, "test", `open collection: DIR/corpus.jsonl:1: key "_id" is a number, expected a string`},
		{"no id", "queries.jsonl", `{"id": "q1", "text": ""}`, "test", `open collection: DIR/queries.jsonl:1: no key "_id"`},
		{"no text", "corpus.jsonl", `{"_id": "d1", "title": "x"}`, "test", `open collection: DIR/corpus.jsonl:1: no key "text"`},
		{"white space in id", "corpus.jsonl", `{"_id": "d 1", "text": "x"}`, "test",
			`open collection: DIR/corpus.jsonl:1: _id is "d 1", expected an id without white space, which TREC files cannot hold`},
		{"invalid UTF-8", "corpus.jsonl", "{\"_id\": \"d1\", \"text\": \"caf\xe9\"}", "test", "open collection: DIR/corpus.jsonl:1: invalid UTF-8: byte 27 is 0xe9, expected UTF-8 text"},
		{"duplicate document", "corpus.jsonl", ok["corpus.jsonl"] + `{"_id": "d2", "text": ""}`, "test",
			`open collection: DIR/corpus.jsonl:5: _id "d2" is already used on line 2`},
		{"duplicate query", "queries.jsonl", ok["queries.jsonl"] + "\n" + `{"_id": "q1", "text": ""}`, "test",
			`open collection: DIR/queries.jsonl:4: _id "q1" is already used on line 1`},
		{"empty corpus", "corpus.jsonl", "\n", "test", "open collection: DIR/corpus.jsonl: no documents"},
		{"unknown document", "qrels/test.tsv", "q1\td1\t1\nq1\td9\t1\nq2\td8\t1\nq9\td1\t1\n", "test",
			`open collection: DIR/qrels/test.tsv:2: corpus.jsonl has no document "d9" (unknown documents in 2 judgements, unknown queries in 1)`},
		{"unknown query", "qrels/test.tsv", "q9\td1\t1\n", "test",
			`open collection: DIR/qrels/test.tsv:1: queries.jsonl has no query "q9" (unknown documents in 0 judgements, unknown queries in 1)`},
		{"level", "qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\td1\t1.5\n", "test",
			`open collection: DIR/qrels/test.tsv:2: relevance level "1.5", expected a whole number from -32768 to 32767`},
		{"columns", "qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\td1\n", "test",
			"open collection: DIR/qrels/test.tsv:2: 2 columns, expected 3: query, document and level, separated by tabs"},
		{"judged twice", "qrels/test.tsv", "q1\td1\t1\nq1\td1\t0\n", "test", `open collection: DIR/qrels/test.tsv:2: query "q1" judges document "d1" twice`},
		{"only a header", "qrels/test.tsv", "query-id\tcorpus-id\tscore\n", "test", "open collection: DIR/qrels/test.tsv: no judgements"},
		{"no such split", "unused", "", "dev", `open collection: DIR has no split "dev", expected one of: test, train`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := writeCollection(t, collectionFiles())
			write(t, dir, test.file, test.content)
			_, err := OpenCollection(dir, test.split)
			if got := strings.ReplaceAll(fmt.Sprint(err), dir, "DIR"); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
	dir := t.TempDir()
	if _, err := OpenCollection(dir, "test"); fmt.Sprint(err) != "open collection: "+dir+" has no corpus.jsonl (nor .gz, .zst)" {
		t.Errorf("empty folder: %v", err)
	}
}

func TestCorpusChanged(t *testing.T) {
	dir := writeCollection(t, collectionFiles())
	c, err := OpenCollection(dir, "test")
	if err != nil {
		t.Fatal(err)
	}
	nothing := func(int, []string) error { return nil }
	path := write(t, dir, "corpus.jsonl", `{"_id": "d1", "text": ""}`)
	if err := c.EachBlock(9, nothing); fmt.Sprint(err) != path+": the corpus has changed since it was opened" {
		t.Errorf("shorter corpus: %v", err)
	}
	write(t, dir, "corpus.jsonl", `{"_id": "d7", "text": ""}`)
	if err := c.EachBlock(9, nothing); fmt.Sprint(err) != path+":1: the corpus has changed since it was opened" {
		t.Errorf("other corpus: %v", err)
	}
}

func TestLongLine(t *testing.T) {
	path := write(t, t.TempDir(), "corpus.jsonl", `{"_id":"a","text":""}`+"\n"+strings.Repeat("x", maxLine+1))
	err := EachDocument(path, func(int, Document) error { return nil })
	if fmt.Sprint(err) != path+":2: line is longer than 64 MiB" {
		t.Errorf("got %v", err)
	}
}

func TestReadRunErrors(t *testing.T) {
	tests := []struct{ content, want string }{
		{"q1 Q0 d1 1 0.5 x\nq1 Q0 d2 2 0.4\n", ":2: 5 columns, expected 6: query, Q0, document, rank, score and tag"},
		{"q1 Q0 d1 1 high x\n", `:1: score "high", expected a finite number`},
		{"q1 Q0 d1 1 NaN x\n", `:1: score "NaN", expected a finite number`},
		{"q1 Q0 d1 1 1e39 x\n", `:1: score "1e39", expected a finite number`},
		{"q1 Q0 d1 1 2 x\n\nq1 Q0 d1 2 1 x\n", `:3: query "q1" returns document "d1" twice`},
		{"# only a comment\n", ": no results"},
	}
	for _, test := range tests {
		path := write(t, t.TempDir(), "run.trec", test.content)
		if _, err := ReadRun(path); fmt.Sprint(err) != path+test.want {
			t.Errorf("got %v, want %s%s", err, path, test.want)
		}
	}
	if _, err := ReadRun("no/such/file"); fmt.Sprint(err) != "open no/such/file: no such file or directory" {
		t.Errorf("missing file: %v", err)
	}
}

func TestReadTRECQrelsErrors(t *testing.T) {
	path := write(t, t.TempDir(), "qrels", "# comment\nq1 0 d1 1\nq1 0 d2\n")
	if _, err := ReadQrels(path); fmt.Sprint(err) != path+":3: 3 columns, expected 4: query, iteration, document and level" {
		t.Errorf("got %v", err)
	}
}

// TestRunRoundTrip: every float32 comes back as it was, ties in trec_eval's order.
func TestRunRoundTrip(t *testing.T) {
	run := &Run{Tag: "my model", Hits: map[string][]Hit{
		"q2": {{"b", 0.1}, {"a", 0.1}, {"c", -1e-40}},
		"q1": {{"z", 16777216}, {"y", 3.4028235e38}},
	}}
	SortHits(run.Hits["q1"])
	path := filepath.Join(t.TempDir(), "run.trec")
	if err := WriteRun(path, run); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := "q1 Q0 y 1 3.4028235e+38 my_model\nq1 Q0 z 2 1.6777216e+07 my_model\n" +
		"q2 Q0 b 1 0.1 my_model\nq2 Q0 a 2 0.1 my_model\nq2 Q0 c 3 -1e-40 my_model\n"
	if string(content) != want {
		t.Errorf("got\n%swant\n%s", content, want)
	}
	back, err := ReadRun(path)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back.Hits, run.Hits) || back.Tag != "my_model" {
		t.Errorf("got %v, want %v", back, run)
	}
}
