package tasks

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
)

const revision = "89abcdef0123456789abcdef0123456789abcdef"

// Rows as the repositories of the registry have them.
type (
	brightExample struct {
		ID       string   `parquet:"id"`
		Query    string   `parquet:"query"`
		Gold     []string `parquet:"gold_ids,list"`
		Long     []string `parquet:"gold_ids_long,list"`
		Excluded []string `parquet:"excluded_ids,list"`
	}
	brightDocument struct {
		ID      string `parquet:"id"`
		Content string `parquet:"content"`
	}
)

func rows[T any](t *testing.T, values ...T) string {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[T](&b)
	if _, err := w.Write(values); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func packed(t *testing.T, ending, text string) string {
	t.Helper()
	var b bytes.Buffer
	var err error
	switch ending {
	case ".gz":
		w := gzip.NewWriter(&b)
		_, err = w.Write([]byte(text))
		err = joined(err, w.Close())
	case ".zst":
		var w *zstd.Encoder
		if w, err = zstd.NewWriter(&b); err == nil {
			_, err = w.Write([]byte(text))
			err = joined(err, w.Close())
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func joined(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

func readme(configs string) string {
	return "---\nlanguage:\n- en\nconfigs:\n" + configs + "---\n# A data set\n"
}

func config(name, split, path string) string {
	return fmt.Sprintf("- config_name: %s\n  data_files:\n  - split: %s\n    path: %s\n", name, split, path)
}

type corpusRow struct {
	ID    string  `parquet:"_id"`
	Title *string `parquet:"title,optional"`
	Text  string  `parquet:"text"`
}

type queryRow struct {
	ID        string `parquet:"_id"`
	Text      string `parquet:"text"`
	Partition string `parquet:"partition"`
}

type qrelRow struct {
	Query    string `parquet:"query-id"`
	Document string `parquet:"corpus-id"`
	Score    int64  `parquet:"score"`
}

type numberedRow struct {
	ID   int64  `parquet:"id"`
	Text string `parquet:"text"`
}

func text(s string) *string { return &s }

const jsonCorpus = `{"_id": "d1", "title": "Tea", "text": " green leaves "}
{"_id": "d2", "title": "", "text": "black beans"}
{"_id": "d3", "text": "water"}
`

const jsonQueries = `{"_id": "q1", "text": "leaves"}
{"_id": "q2", "text": "beans"}
{"_id": "q3", "text": "of another split"}
`

const jsonQrels = `{"query-id": "q1", "corpus-id": "d1", "score": 2}
{"query-id": "q2", "corpus-id": "d2", "score": 1.0}
`

// layouts are the repositories of the registry in small: the files as they lie on the hub.
func layouts(t *testing.T) map[string]struct {
	task  Task
	files map[string]string
} {
	beir := Task{Split: "test", Documents: 3, Queries: 2}
	parquetCorpus := []corpusRow{{"d1", text("Tea"), " green leaves "}, {"d2", text(""), "black beans"}, {"d3", nil, "water"}}
	parquetQueries := []queryRow{{"q1", "leaves", "test"}, {"q2", "beans", "test"}, {"q3", "of another split", "train"}}
	parquetQrels := []qrelRow{{"q1", "d1", 2}, {"q2", "d2", 1}}
	subset, nano := beir, beir
	subset.Subset, nano.Split = "go", "train"
	bright := Task{Layout: BRIGHT, Split: "standard", Domain: "earth_science", Documents: 3, Queries: 2}
	long := Task{Layout: BRIGHTLong, Split: "long", Domain: "earth_science", Documents: 2, Queries: 2}
	brightFiles := map[string]string{
		"README.md": readme(config("documents", "biology", "documents/biology-*") + "  - split: earth_science\n    path: documents/earth_science-*\n" +
			config("examples", "biology", "examples/biology-*") + "  - split: earth_science\n    path: examples/earth_science-*\n" +
			config("long_documents", "earth_science", "long_documents/earth_science-*")),
		"documents/biology-00000-of-00001.parquet": "of another domain", "examples/biology-00000-of-00001.parquet": "of another domain",
		"documents/earth_science-00000-of-00001.parquet": rows(t, brightDocument{"d1", "Tea green leaves"},
			brightDocument{"a b/d2.txt", "black beans"}, brightDocument{"d1", "again"}, brightDocument{"d3", "water"}),
		"long_documents/earth_science-00000-of-00001.parquet": rows(t, brightDocument{"l1", "Tea green leaves, all of it"}, brightDocument{"l2", "beans"}),
		"examples/earth_science-00000-of-00001.parquet": rows(t,
			brightExample{"0", "leaves", []string{"d1"}, []string{"l1"}, []string{"N/A"}},
			brightExample{"1", "beans", []string{"a b/d2.txt", "a b/d2.txt"}, []string{"l2"}, []string{"d3", "d1"}},
			brightExample{"2", "without documents", nil, nil, nil}),
	}
	return map[string]struct {
		task  Task
		files map[string]string
	}{
		"JSON Lines": {beir, map[string]string{
			"README.md":    readme(config("default", "train", "qrels/train.jsonl") + "  - split: test\n    path: qrels/test.jsonl\n" + config("corpus", "corpus", "corpus.jsonl") + config("queries", "queries", "queries.jsonl")),
			"corpus.jsonl": jsonCorpus, "queries.jsonl": jsonQueries, "qrels/test.jsonl": jsonQrels, "qrels/train.jsonl": "{}",
		}},
		"without README.md, compressed": {beir, map[string]string{
			"corpus.jsonl.gz": packed(t, ".gz", jsonCorpus), "queries.jsonl.zst": packed(t, ".zst", jsonQueries),
			"qrels/test.tsv": "query-id\tcorpus-id\tscore\nq1\td1\t2\nq2\td2\t1\n",
		}},
		"Parquet": {beir, map[string]string{
			"README.md":                              readme(config("corpus", "corpus", "corpus/corpus-*") + config("default", "test", "data/test-*") + config("queries", "queries", "queries/queries-*")),
			"corpus/corpus-00000-of-00002.parquet":   rows(t, parquetCorpus[:2]...),
			"corpus/corpus-00001-of-00002.parquet":   rows(t, parquetCorpus[2:]...),
			"queries/queries-00000-of-00001.parquet": rows(t, parquetQueries...), "data/test-00000-of-00001.parquet": rows(t, parquetQrels...),
			"data/train-00000-of-00001.parquet": "not wanted",
		}},
		"a language of CoIR": {subset, map[string]string{
			"README.md": readme(config("go-corpus", "corpus", "go-corpus/corpus-*") + config("go-qrels", "train", "go-qrels/train-*") + "  - split: test\n    path: go-qrels/test-*\n" + config("go-queries", "queries", "go-queries/queries-*") + config("ruby-corpus", "corpus", "ruby-corpus/corpus-*")),
			"go-corpus/corpus-00000-of-00001.parquet":   rows(t, parquetCorpus...),
			"go-queries/queries-00000-of-00001.parquet": rows(t, parquetQueries...), "go-qrels/test-00000-of-00001.parquet": rows(t, parquetQrels...),
			"go-qrels/train-00000-of-00001.parquet": "not wanted", "ruby-corpus/corpus-00000-of-00001.parquet": "not wanted",
		}},
		"NanoBEIR": {nano, map[string]string{
			"README.md":                           readme(config("corpus", "train", "corpus/train-*") + config("qrels", "train", "qrels/train-*") + config("queries", "train", "queries/train-*")),
			"corpus/train-00000-of-00001.parquet": rows(t, parquetCorpus...), "queries/train-00000-of-00001.parquet": rows(t, parquetQueries...),
			"qrels/train-00000-of-00001.parquet": rows(t, parquetQrels...),
		}},
		"BRIGHT":      {bright, brightFiles},
		"BRIGHT long": {long, brightFiles},
	}
}
