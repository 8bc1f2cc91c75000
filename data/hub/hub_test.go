package hub

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"revela/internal/fakehub"
	"revela/model/checkpoint"
)

const line = `["a b", "c d"]` + "\n"

// published are data sets in the layouts that the hub has.
var published = map[string]map[string]string{
	"datasets/org/groups": {"README.md": "x", ".gitattributes": "x", "data/train-00001-of-00002.parquet": "2", "data/train-00000-of-00002.parquet": "1",
		"data/test-00000-of-00001.parquet": "3"},
	"datasets/org/lines": {"corpus.jsonl.gz": line, "README.md": "x", "notes.txt": "x"},
	"datasets/org/beir":  {"corpus.jsonl": line, "queries.jsonl": line, "qrels/test.tsv": "x", "README.md": "x"},
	"datasets/org/parts": {"en/a.jsonl": line, "en/b.jsonl": line, "de/a.jsonl": line, "page.md": "# x"},
	"datasets/org/media": {"a.mp3": "x"},
}

// resolver reads from a made hub, into a cache that it returns.
func resolver(t *testing.T, hub *fakehub.Hub, more ...string) (*checkpoint.Resolver, string) {
	t.Helper()
	home := t.TempDir()
	env := map[string]string{"HF_ENDPOINT": hub.Server.URL, "HF_HOME": home, "HOME": home}
	for _, pair := range more {
		key, value, _ := strings.Cut(pair, "=")
		env[key] = value
	}
	return &checkpoint.Resolver{Env: func(key string) (string, bool) { v, ok := env[key]; return v, ok }}, home
}

// below returns paths from the snapshot on.
func below(t *testing.T, paths []string) []string {
	t.Helper()
	var names []string
	for _, path := range paths {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
		_, name, found := strings.Cut(filepath.ToSlash(path), "/snapshots/"+fakehub.Commit+"/")
		if !found {
			name = path
		}
		names = append(names, name)
	}
	return names
}

func TestFiles(t *testing.T) {
	hub := fakehub.New(t, published)
	r, _ := resolver(t, hub)
	t.Chdir(t.TempDir())
	if err := os.MkdirAll("local", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("a.jsonl", []byte(line), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		of   func(context.Context, *checkpoint.Resolver, []string) ([]string, error)
		want string
	}{
		"org/groups":                                {Groups, "data/train-00000-of-00002.parquet data/train-00001-of-00002.parquet"},
		"hf://datasets/org/groups":                  {Groups, "data/train-00000-of-00002.parquet data/train-00001-of-00002.parquet"},
		"org/groups@" + fakehub.Commit:              {Groups, "data/train-00000-of-00002.parquet data/train-00001-of-00002.parquet"},
		"hf://datasets/org/groups/data/*test*":      {Groups, "data/test-00000-of-00001.parquet"},
		"org/lines":                                 {Documents, "corpus.jsonl.gz"},
		"hf://datasets/org/lines/*.txt":             {Documents, "notes.txt"},
		"org/beir":                                  {Documents, "corpus.jsonl"},
		"hf://datasets/org/beir@main/queries.jsonl": {Documents, "queries.jsonl"},
		"org/parts":                                 {Documents, "de/a.jsonl en/a.jsonl en/b.jsonl"},
		"hf://datasets/org/parts/en":                {Documents, "en/a.jsonl en/b.jsonl"},
		"a.jsonl":                                   {Groups, "a.jsonl"},
		"local":                                     {Documents, "local"},
	} {
		got, err := test.of(context.Background(), r, []string{name})
		if names := strings.Join(below(t, got), " "); err != nil || names != test.want {
			t.Errorf("%s: got %s, %v, want %s", name, names, err, test.want)
		}
	}
	for _, path := range []string{"local/missing", "org/missing.jsonl", "!org/lines", "*/x", "docs"} {
		if got, err := Documents(context.Background(), r, []string{path}); err != nil || !slices.Equal(got, []string{path}) {
			t.Errorf("%s is no data set: got %v, %v", path, got, err)
		}
	}
}

// What is in the cache serves offline, and a commit is not asked for twice.
func TestCacheAndOffline(t *testing.T) {
	hub := fakehub.New(t, published)
	online, home := resolver(t, hub)
	pinned := "org/groups@" + fakehub.Commit
	for range 2 {
		if _, err := Groups(context.Background(), online, []string{pinned, "org/lines"}); err != nil {
			t.Fatal(err)
		}
	}
	if asked := hub.Seen("/api/datasets/org/groups"); len(asked) != 1 {
		t.Errorf("the hub was asked for a commit: %v", asked)
	}
	hub.Fail = func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(http.StatusTeapot); return true }
	offline, _ := resolver(t, hub, "HF_HOME="+home, "HF_HUB_OFFLINE=1")
	got, err := Groups(context.Background(), offline, []string{pinned, "org/lines"})
	if err != nil || len(got) != 3 {
		t.Errorf("offline: got %v, %v", got, err)
	}
	_, err = Groups(context.Background(), offline, []string{"org/parts"})
	if err == nil || !strings.Contains(err.Error(), "org/parts: no such file or folder, and as a data set of the hub: dataset org/parts: it is not in the hub's cache ") ||
		!strings.HasSuffix(err.Error(), "and HF_HUB_OFFLINE is set: unset it, or name a local folder") {
		t.Errorf("offline, not in the cache: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	r, _ := resolver(t, fakehub.New(t, published))
	for name, want := range map[string]string{
		"hf://org/groups":              "hf://org/groups: expected hf://datasets/ORG/NAME, perhaps with @REVISION and /PATTERN",
		"hf://datasets/org/media":      "hf://datasets/org/media: download dataset org/media: no file to read among its 1",
		"hf://datasets/org/parts/fr/*": "hf://datasets/org/parts/fr/*: download dataset org/parts: no file to read among its 4 fits fr/*",
		"hf://datasets/org/parts/[":    "hf://datasets/org/parts/[: download dataset org/parts: pattern [: syntax error in pattern",
	} {
		if _, err := Documents(context.Background(), r, []string{name}); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
	_, err := Documents(context.Background(), r, []string{"org/nothing"})
	if err == nil || !strings.Contains(err.Error(), "org/nothing: no such file or folder, and as a data set of the hub: ") {
		t.Errorf("unknown data set: %v", err)
	}
}
