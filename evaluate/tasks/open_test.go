package tasks

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"revela/evaluate"
	"revela/internal/fakehub"
	"revela/model/checkpoint"
)

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
	o.hub.Put("datasets/other/data", layout.files, "")
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
