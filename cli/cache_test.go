package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// keepIn lets a test keep its embeddings in a folder of its own.
func keepIn(t *testing.T, dir string) {
	t.Helper()
	before := embeddingsFolder
	embeddingsFolder = func() (string, error) { return dir, nil }
	t.Cleanup(func() { embeddingsFolder = before })
}

// What an evaluation has encoded of a corpus a search does not encode again, and the other way round; --no-cache keeps
// nothing. A search with kept embeddings finds the same.
func TestFixtureSearchKeeps(t *testing.T) {
	dir := t.TempDir()
	store, collection := filepath.Join(dir, "store"), tinyCollection(t, dir)
	keepIn(t, store)
	search := []string{"search", "--model", tinyModel(t), "--corpus", filepath.Join(collection, "corpus.jsonl"), "--query", "sort"}
	blocks := func() int {
		files, err := filepath.Glob(filepath.Join(store, "*", "*.npy"))
		if err != nil {
			t.Fatal(err)
		}
		return len(files)
	}
	want, _, status := run(t, append(search, "--no-cache")...)
	if status != 0 || blocks() != 0 {
		t.Fatalf("status %d, %d blocks kept", status, blocks())
	}
	for range 2 {
		if got, stderr, _ := run(t, search...); got != want || blocks() != 1 {
			t.Errorf("%d blocks kept, got %s%s\nwant %s", blocks(), got, stderr, want)
		}
	}
	// Vectors that nothing but the cache can have: the search must take them.
	swapRows(t, store)
	if got, _, _ := run(t, search...); got == want {
		t.Errorf("the kept embeddings were not used: %s", got)
	}
	swapRows(t, store)
	if _, stderr, status := run(t, "evaluate", "--model", tinyModel(t), "--collection", collection, "--output", filepath.Join(dir, "out"), "--no-baseline"); status != 0 || blocks() != 2 {
		t.Errorf("status %d, %d blocks, want the documents' and the queries': %s", status, blocks(), stderr)
	}
}

// swapRows exchanges the two rows of the only file of embeddings.
func swapRows(t *testing.T, store string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(store, "*", "*.npy"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	content, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	const header = 128
	half := (len(content) - header) / 2
	swapped := string(content[:header]) + string(content[header+half:]) + string(content[header:header+half])
	write(t, files[0], swapped)
}

func TestFixtureCache(t *testing.T) {
	dir := t.TempDir()
	store, collection, model := filepath.Join(dir, "store"), tinyCollection(t, dir), tinyModel(t)
	keepIn(t, store)
	if stdout, _, status := run(t, "cache", "list"); status != 0 || stdout != store+": 0 B\n" {
		t.Errorf("an empty cache: status %d, %q", status, stdout)
	}
	for _, prefix := range []string{"", "find: "} {
		if _, stderr, status := run(t, "search", "--model", model, "--passage-prefix", prefix, "--corpus", filepath.Join(collection, "corpus.jsonl"), "--query", "sort"); status != 0 {
			t.Fatal(stderr)
		}
	}
	var list keptList
	requireResult(t, &list, "cache", "list")
	if len(list.Models) != 2 || list.Folder != store || list.Bytes != list.Models[0].Bytes+list.Models[1].Bytes {
		t.Fatalf("got %+v", list)
	}
	for _, m := range list.Models {
		if m.Model != model || m.Blocks != 1 || m.Bytes < 128 || m.Settings["prompt"] == nil || m.Written.IsZero() {
			t.Errorf("got %+v", m)
		}
	}
	stdout, _, _ := run(t, "cache", "list")
	if lines := strings.Split(stdout, "\n"); len(lines) != 5 || !strings.HasPrefix(lines[0], "ID ") || !strings.Contains(stdout, `"find: "`) || lines[3] != store+": "+size(list.Bytes) {
		t.Errorf("got %s", stdout)
	}
	requireFailure(t, 1, `cache: found "other", expected an id or a model that revela cache list shows`, "cache", "clear", list.Models[0].ID, "other")
	var removed keptList
	stdout, _, _ = run(t, "cache", "clear", "--json", list.Models[0].ID)
	if err := json.Unmarshal([]byte(stdout), &removed); err != nil || len(removed.Models) != 1 || removed.Bytes != list.Models[0].Bytes {
		t.Errorf("removed %+v", removed)
	}
	if stdout, _, status := run(t, "cache", "clear", model); status != 0 || stdout != store+": removed "+size(list.Models[1].Bytes)+"\n" {
		t.Errorf("status %d: %s", status, stdout)
	}
	requireResult(t, &list, "cache", "list")
	if len(list.Models) != 0 || list.Bytes != 0 {
		t.Errorf("left %+v", list)
	}
	if stdout, _, status := run(t, "cache", "clear"); status != 0 || stdout != store+": removed 0 B\n" {
		t.Errorf("status %d: %s", status, stdout)
	}
}

// What another version wrote is listed, and cleared, as well.
func TestCacheOfOtherVersions(t *testing.T) {
	store := t.TempDir()
	keepIn(t, store)
	for _, file := range []string{"0123/about.json", "0123/a.npy"} {
		if err := os.MkdirAll(filepath.Join(store, "0123"), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(store, file), "no JSON")
	}
	stdout, _, status := run(t, "cache", "list", "--json")
	var list keptList
	if err := json.Unmarshal([]byte(stdout), &list); err != nil || status != 0 || len(list.Models) != 1 || list.Models[0].ID != "0123" || list.Bytes != 14 {
		t.Errorf("status %d, %v: %s", status, err, stdout)
	}
	if stdout, _, status := run(t, "cache", "list"); status != 0 || !strings.Contains(stdout, "0123  -      -       -       -          1       14 B") {
		t.Errorf("status %d: %s", status, stdout)
	}
	if stdout, _, status := run(t, "cache", "clear"); status != 0 || !strings.Contains(stdout, "removed 14 B") {
		t.Errorf("status %d: %s", status, stdout)
	}
}
