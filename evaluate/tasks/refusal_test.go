package tasks

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"revela/internal/fakehub"
)

// refuse opens a task and checks the error, in which HOME is the cache's folder and MIRROR the mirror's.
func (o opened) refuse(t *testing.T, opener Opener, want string) {
	t.Helper()
	_, err := opener.Open(context.Background(), &Registry{}, &o.task)
	got := strings.ReplaceAll(fmt.Sprint(err), o.env["HF_HOME"], "HOME")
	if opener.Mirror != "" {
		got = strings.ReplaceAll(got, opener.Mirror, "MIRROR")
	}
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// What a repository lacks, or has more than the registry says, is one clear line.
func TestRefusedRepositories(t *testing.T) {
	parquet := layouts(t)["Parquet"]
	bright := layouts(t)["BRIGHT"]
	const at = "suite/task: download dataset org/data at revision " + revision + ": "
	const folder = "HOME/hub/datasets--org--data/snapshots/" + revision
	for _, test := range []struct {
		name string
		task Task
		edit func(files map[string]string, task *Task)
		of   map[string]string
		want string
	}{
		{"no corpus", parquet.task, func(files map[string]string, _ *Task) {
			delete(files, "corpus/corpus-00000-of-00002.parquet")
			delete(files, "corpus/corpus-00001-of-00002.parquet")
		}, parquet.files, at + "no JSON Lines or Parquet files for configuration corpus, split test ([corpus/corpus-*])"},
		{"no configuration", parquet.task, func(files map[string]string, _ *Task) {
			files["README.md"] = readme(config("corpus", "corpus", "corpus/corpus-*") + config("default", "test", "data/test-*"))
		}, parquet.files, at + `the data set has no configuration "queries"`},
		{"no split", bright.task, func(_ map[string]string, task *Task) { task.Domain = "physics" }, bright.files,
			at + `configuration "documents" has no split "physics", expected one of: biology, earth_science`},
		{"other number of documents", parquet.task, func(_ map[string]string, task *Task) { task.Documents = 4 }, parquet.files,
			"suite/task: " + folder + "/corpus: 3 documents and 2 queries with judgements, expected 4 and 2: the data is not that of org/data at revision " + revision},
		{"other number of queries", parquet.task, func(_ map[string]string, task *Task) { task.Queries = 1 }, parquet.files,
			"suite/task: " + folder + "/corpus: 3 documents and 2 queries with judgements, expected 3 and 1: the data is not that of org/data at revision " + revision},
		{"damaged Parquet", parquet.task, func(files map[string]string, _ *Task) {
			files["queries/queries-00000-of-00001.parquet"] = "PAR1"
		}, parquet.files, "suite/task: open collection: " + folder + "/queries/queries-00000-of-00001.parquet: not a Parquet file, or a damaged one: " +
			"reading magic footer of parquet file: strings.Reader.ReadAt: negative offset"},
		{"no text column", parquet.task, func(files map[string]string, _ *Task) {
			files["queries/queries-00000-of-00001.parquet"] = rows(t, qrelRow{"q1", "d1", 1})
		}, parquet.files, "suite/task: open collection: " + folder + `/queries/queries-00000-of-00001.parquet: row 0: no key "_id"`},
		{"broken README.md", parquet.task, func(files map[string]string, _ *Task) { files["README.md"] = "---\nconfigs: 7\n---\n" }, parquet.files,
			at + "the YAML in README.md: yaml: unmarshal errors: line 1: cannot unmarshal !!int `7` into []struct"},
	} {
		t.Run(test.name, func(t *testing.T) {
			files, task := maps.Clone(test.of), test.task
			test.edit(files, &task)
			o := onHub(t, task, files)
			_, err := o.opener().Open(context.Background(), &Registry{}, &o.task)
			got := strings.ReplaceAll(fmt.Sprint(err), o.env["HF_HOME"], "HOME")
			got, want := strings.Join(strings.Fields(got), " "), strings.Join(strings.Fields(test.want), " ")
			if test.name == "damaged Parquet" || test.name == "broken README.md" {
				got, want = got[:min(len(got), 150)], want[:150] // the libraries' own words end it
			}
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// The hub must answer with the registry's commit; what lies in the cache must be what the hub gave; a part of the shards is
// not the corpus.
func TestRefusedRevisions(t *testing.T) {
	layout := layouts(t)["Parquet"]
	const at = "suite/task: download dataset org/data at revision " + revision + ": "
	const snapshot = "datasets--org--data/snapshots/" + revision
	o := onHub(t, layout.task, layout.files)
	o.hub.Fail = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.URL.Path, "/api/") {
			fmt.Fprintf(w, `{"sha": %q, "siblings": []}`, fakehub.Commit)
			return true
		}
		return false
	}
	o.refuse(t, o.opener(), at+"the hub answered with commit "+fakehub.Commit+", expected "+revision)
	o.hub.Fail = nil
	o.env["HF_HUB_OFFLINE"] = "1"
	o.refuse(t, o.opener(), "suite/task: dataset org/data at revision "+revision+": it is not in the hub's cache HOME/hub, and HF_HUB_OFFLINE is set: unset it, or name a local folder")
	delete(o.env, "HF_HUB_OFFLINE")
	if _, err := o.opener().Open(context.Background(), &Registry{}, &o.task); err != nil {
		t.Fatal(err)
	}
	cache := filepath.Join(o.env["HF_HOME"], "hub")
	second := filepath.Join(cache, snapshot, "corpus/corpus-00001-of-00002.parquet")
	blob, err := filepath.EvalSymlinks(second)
	if err != nil {
		t.Fatal(err)
	}
	sound, err := os.ReadFile(blob)
	if err != nil {
		t.Fatal(err)
	}
	write(t, blob, string(sound)+"x")
	_, err = o.opener().Open(context.Background(), &Registry{}, &o.task)
	if err == nil || !strings.HasPrefix(err.Error(), "suite/task: "+second+": checksum is ") || !strings.Contains(err.Error(), ", expected "+filepath.Base(blob)) {
		t.Errorf("a changed blob: got %v", err)
	}
	write(t, blob, string(sound))
	if err := os.Remove(second); err != nil {
		t.Fatal(err)
	}
	o.env["HF_HUB_OFFLINE"] = "1"
	o.refuse(t, o.opener(), "suite/task: dataset org/data at revision "+revision+": it is incomplete in the hub's cache: file corpus/corpus-00001-of-00002.parquet is not there, "+
		"and HF_HUB_OFFLINE is set: unset it, or name a local folder")
}

// A mirror says its revision in what huggingface_hub notes, or as a clone; files in BEIR layout are known by their numbers.
func TestMirrorRevisions(t *testing.T) {
	layout := layouts(t)["JSON Lines"]
	o := onHub(t, layout.task, layout.files)
	o.task.Folder = "drinks"
	o.env["HF_HUB_OFFLINE"] = "1"
	opener := o.opener()
	mirror := func() string {
		opener.Mirror = t.TempDir()
		for file, content := range layout.files {
			write(t, filepath.Join(opener.Mirror, "org/data", file), content)
		}
		return filepath.Join(opener.Mirror, "org/data")
	}
	accept := func() {
		t.Helper()
		if _, err := opener.Open(context.Background(), &Registry{}, &o.task); err != nil {
			t.Errorf("refused: %v", err)
		}
	}
	dir := mirror()
	note := filepath.Join(dir, ".cache/huggingface/download/corpus.jsonl.metadata")
	write(t, note, revision+"\n"+fakehub.GitHash(jsonCorpus)+"\n1700000000.0\n")
	accept()
	write(t, note, fakehub.Commit+"\n"+fakehub.GitHash(jsonCorpus)+"\n1700000000.0\n")
	o.refuse(t, opener, "suite/task: MIRROR/org/data/corpus.jsonl is of revision "+fakehub.Commit+", expected "+revision)
	write(t, note, revision+"\n"+fakehub.GitHash("other")+"\n1700000000.0\n")
	o.refuse(t, opener, "suite/task: MIRROR/org/data/corpus.jsonl: checksum is "+fakehub.GitHash(jsonCorpus)+", expected "+fakehub.GitHash("other")+
		": the file was damaged or changed; remove it and fetch it again")

	dir = mirror()
	write(t, filepath.Join(dir, ".git/HEAD"), "ref: refs/heads/main\n")
	write(t, filepath.Join(dir, ".git/packed-refs"), "# pack-refs\n"+revision+" refs/heads/main\n")
	accept()
	write(t, filepath.Join(dir, ".git/refs/heads/main"), fakehub.Commit+"\n")
	o.refuse(t, opener, "suite/task: MIRROR/org/data is at revision "+fakehub.Commit+", expected "+revision)

	dir = mirror()
	if err := os.Rename(dir, filepath.Join(opener.Mirror, "drinks")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(opener.Mirror, "drinks/qrels/test.tsv"), "query-id\tcorpus-id\tscore\nq1\td1\t2\nq2\td2\t1\n")
	accept()
	opener.Mirror = filepath.Join(opener.Mirror, "absent")
	_, err := opener.Open(context.Background(), &Registry{}, &o.task)
	if err == nil || err.Error() != "suite/task: mirror "+opener.Mirror+": no such folder" {
		t.Errorf("got %v", err)
	}
}
