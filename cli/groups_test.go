package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"revela/internal/fakehub"
)

func TestDownloadLink(t *testing.T) {
	madeHub(t)
	hub := fakehub.New(t, map[string]map[string]string{"datasets/org/a": {"x.jsonl": "1"}, "datasets/org/b": {"y.jsonl": "2"}})
	t.Setenv("HF_ENDPOINT", hub.Server.URL)
	dir := t.TempDir()
	link := filepath.Join(dir, "below", "link")
	for _, test := range []struct{ id, file string }{{"org/a", "x.jsonl"}, {"org/b", "y.jsonl"}} {
		if _, stderr, status := run(t, "download", "--dataset", "--link", link, test.id); status != 0 || !exists(link, test.file) {
			t.Errorf("status %d: %s", status, stderr)
		}
	}
	write(t, filepath.Join(dir, "file"), "mine")
	_, stderr, status := run(t, "download", "--dataset", "--link", filepath.Join(dir, "file"), "org/a")
	if want := "revela: link " + dir + "/file: it is there and no link\n"; status != 1 || !strings.HasSuffix(stderr, want) || readPage(t, filepath.Join(dir, "file")) != "mine" {
		t.Errorf("status %d: %s", status, stderr)
	}
	requireFailure(t, 2, "download: found --link with more than one folder, expected one ID and no --task (see revela download --help)",
		"download", "--link", link, "org/a", "org/b")
}

func TestExpandFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.jsonl", "a.parquet", "README.md", "sub/c.jsonl.zst", "[x].jsonl"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), "")
	}
	got, err := expandFiles([]string{dir + "/**/*.{jsonl.zst,parquet}", dir + "/none*", dir + "/[x].jsonl"})
	want := []string{dir + "/a.parquet", dir + "/sub/c.jsonl.zst", dir + "/none*", dir + "/[x].jsonl"}
	if err != nil || strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if _, err := expandFiles([]string{dir + "/{a"}); err == nil {
		t.Error("a broken pattern is no error")
	}
}
