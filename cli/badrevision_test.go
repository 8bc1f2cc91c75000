package cli

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"revela/evaluate/tasks"
	"revela/internal/fakehub"
)

// Data of another revision, or damaged, is refused by evaluate with one line, and nothing is written.
func TestBadRevisions(t *testing.T) {
	hub := madeHub(t, "nanobeir/scifact")
	output := filepath.Join(t.TempDir(), "out")
	const repository, revision = "mteb/NanoSciFactRetrieval", "8c5f7bbe90bb865f46c67710221afa7d9096251b"
	evaluation := []string{"evaluate", "--model", "bm25", "--suite", "nanobeir/scifact", "--output", output}
	const at = "--suite nanobeir/scifact: nanobeir/scifact: "

	hub.Fail = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.URL.Path, "/api/") {
			fmt.Fprintf(w, `{"sha": %q, "siblings": []}`, fakehub.Commit)
			return true
		}
		return false
	}
	requireFailure(t, 1, at+"download dataset "+repository+" at revision "+revision+": the hub answered with commit "+fakehub.Commit+", expected "+revision, evaluation...)
	hub.Fail = nil

	registry, err := tasks.Load()
	if err != nil {
		t.Fatal(err)
	}
	found, err := registry.Find("nanobeir/scifact")
	if err != nil {
		t.Fatal(err)
	}
	mirror := t.TempDir()
	files := madeTask(found[0])
	dir := filepath.Join(mirror, filepath.FromSlash(repository))
	for file, content := range files {
		path := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, path, content)
	}
	note := filepath.Join(dir, ".cache/huggingface/download/corpus.jsonl.metadata")
	if err := os.MkdirAll(filepath.Dir(note), 0o755); err != nil {
		t.Fatal(err)
	}
	mirrored := append(evaluation, "--mirror", mirror)
	sum, other := fakehub.GitHash(files["corpus.jsonl"]), fakehub.GitHash("other")
	write(t, note, fakehub.Commit+"\n"+sum+"\n0\n")
	requireFailure(t, 1, at+dir+"/corpus.jsonl is of revision "+fakehub.Commit+", expected "+revision, mirrored...)
	write(t, note, revision+"\n"+other+"\n0\n")
	requireFailure(t, 1, at+dir+"/corpus.jsonl: checksum is "+sum+", expected "+other+": the file was damaged or changed; remove it and fetch it again", mirrored...)
	if _, err := os.Stat(output); !os.IsNotExist(err) {
		t.Errorf("the output folder was made: %v", err)
	}
	write(t, note, revision+"\n"+sum+"\n0\n")
	if _, stderr, status := run(t, mirrored...); status != 0 {
		t.Errorf("sound data: status %d, %s", status, stderr)
	}
}
