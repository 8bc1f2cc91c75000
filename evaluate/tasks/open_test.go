package tasks

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"

	"revela/evaluate"
	"revela/internal/fakehub"
	"revela/model/checkpoint"
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

type numberedQrelRow struct {
	Query    int64   `parquet:"query-id"`
	Document int64   `parquet:"corpus-id"`
	Score    float64 `parquet:"score"`
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

type opened struct {
	hub  *fakehub.Hub
	env  map[string]string
	task Task
}

func (o opened) opener() Opener {
	return Opener{Protocol: ProtocolClean, Resolver: &checkpoint.Resolver{Env: func(key string) (string, bool) { v, ok := o.env[key]; return v, ok }}}
}

func onHub(t *testing.T, task Task, files map[string]string) opened {
	t.Helper()
	task.Name, task.Task, task.Location = "suite/task", "Task", Location{"org/data", revision}
	hub := fakehub.New(t, map[string]map[string]string{"datasets/org/data": maps.Clone(files)})
	hub.Commits = map[string]string{"datasets/org/data": revision}
	return opened{hub, map[string]string{"HF_HOME": t.TempDir(), "HF_ENDPOINT": hub.Server.URL}, task}
}

func corpusTexts(t *testing.T, c *evaluate.Collection) []string {
	t.Helper()
	var texts []string
	if err := c.EachBlock(10, func(_ int, block []string) error { texts = append(texts, block...); return nil }); err != nil {
		t.Fatal(err)
	}
	return texts
}

// Every layout of the registry gives the same small collection, from the hub, from its cache alone, and from a mirror.
func TestOpen(t *testing.T) {
	for name, layout := range layouts(t) {
		t.Run(name, func(t *testing.T) {
			o := onHub(t, layout.task, layout.files)
			check := func(from string, opener Opener) {
				t.Helper()
				c, err := opener.Open(context.Background(), &Registry{Join: " "}, &o.task)
				if err != nil {
					t.Fatalf("from %s: %v", from, err)
				}
				checkDrinks(t, from, layout.task, c)
			}
			check("the hub", o.opener())
			for _, request := range o.hub.Requests() {
				if strings.Contains(request, "train-") && layout.task.Split != "train" || strings.Contains(request, "ruby") || strings.Contains(request, "biology") {
					t.Errorf("fetched what the task does not need: %s", request)
				}
			}
			before := len(o.hub.Requests())
			check("the cache", o.opener())
			o.env["HF_HUB_OFFLINE"] = "1"
			check("the cache, offline", o.opener())
			if asked := o.hub.Requests()[before:]; len(asked) > 0 {
				t.Errorf("a commit in the cache was asked for again: %v", asked)
			}
			mirror := t.TempDir()
			for file, content := range layout.files {
				write(t, filepath.Join(mirror, "org/data", file), content)
			}
			opener := o.opener()
			opener.Mirror = mirror
			o.env["HF_HOME"] = t.TempDir() // nothing there, and offline
			check("a mirror", opener)
		})
	}
}

func checkDrinks(t *testing.T, from string, task Task, c *evaluate.Collection) {
	t.Helper()
	ids, texts := []string{"d1", "d2", "d3"}, []string{"Tea  green leaves", "black beans", "water"}
	qrels := evaluate.Qrels{"q1": {"d1": 2}, "q2": {"d2": 1}}
	var excluded map[string][]string
	switch task.Layout {
	case BRIGHT:
		ids, texts = []string{"d1", "a%20b/d2.txt", "d3"}, []string{"Tea green leaves", "black beans", "water"}
		qrels, excluded = evaluate.Qrels{"0": {"d1": 1}, "1": {"a%20b/d2.txt": 1}}, map[string][]string{"1": {"d3", "d1"}}
	case BRIGHTLong:
		ids, texts = []string{"l1", "l2"}, []string{"Tea green leaves, all of it", "beans"}
		qrels, excluded = evaluate.Qrels{"0": {"l1": 1}, "1": {"l2": 1}}, map[string][]string{"1": {"d3", "d1"}}
	}
	if !reflect.DeepEqual(c.IDs, ids) || !reflect.DeepEqual(corpusTexts(t, c), texts) {
		t.Errorf("from %s: documents %v %q, want %v %q", from, c.IDs, corpusTexts(t, c), ids, texts)
	}
	if !reflect.DeepEqual(c.Qrels, qrels) || !reflect.DeepEqual(c.Excluded, excluded) {
		t.Errorf("from %s: judgements %v, excluded %v", from, c.Qrels, c.Excluded)
	}
	if !reflect.DeepEqual(c.QueryTexts(), []string{"leaves", "beans"}) || c.Name != "suite-task" || c.Task.Name != "Task" || c.Task.Revision != revision {
		t.Errorf("from %s: name %s, task %+v, queries %q", from, c.Name, c.Task, c.QueryTexts())
	}
}

// Ids that are numbers become text, as mteb casts them.
func TestNumberedIDs(t *testing.T) {
	o := onHub(t, Task{Split: "test", Documents: 2, Queries: 1}, map[string]string{
		"corpus/corpus-00000-of-00001.parquet":   rows(t, numberedRow{7, "a"}, numberedRow{8, "b"}),
		"queries/queries-00000-of-00001.parquet": rows(t, numberedRow{1, "q"}),
		"qrels/test.jsonl":                       `{"query-id": 1, "corpus-id": 8, "score": "1"}`,
	})
	c, err := o.opener().Open(context.Background(), &Registry{}, &o.task)
	if err != nil || !reflect.DeepEqual(c.Qrels, evaluate.Qrels{"1": {"8": 1}}) || !reflect.DeepEqual(c.IDs, []string{"7", "8"}) {
		t.Errorf("got %+v, %v", c, err)
	}
}

// The rules of a task reach its collection; the paper's protocol drops exclusions and reads the older revision.
func TestRules(t *testing.T) {
	layout := layouts(t)["BRIGHT"]
	o := onHub(t, layout.task, layout.files)
	o.task.RemoveIdentical, o.task.Prompt = true, "Represent this: "
	opener := o.opener()
	opener.Instruction = "Instruct: {prompt}Query: "
	c, err := opener.Open(context.Background(), &Registry{}, &o.task)
	if err != nil {
		t.Fatal(err)
	}
	if !c.RemoveIdentical || c.QueryTexts()[0] != "Instruct: Represent this: Query: leaves" || len(c.Excluded) != 1 {
		t.Errorf("got %v, %q, %v", c.RemoveIdentical, c.QueryTexts(), c.Excluded)
	}
	o.hub.Repos["datasets/other/data"] = layout.files
	o.task.Paper = &Location{"other/data", fakehub.Commit}
	opener.Protocol = ProtocolPaper
	if c, err = opener.Open(context.Background(), &Registry{}, &o.task); err != nil || c.Excluded != nil || c.Task.Revision != fakehub.Commit {
		t.Errorf("got %+v, %v", c, err)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
