package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"revela/internal/testdata"
)

// checkFiles writes a configuration on a fixture's models, with groups and a collection, and returns its folder.
func checkFiles(t *testing.T, more string) (dir, file string) {
	t.Helper()
	dir = t.TempDir()
	write(t, filepath.Join(dir, "groups.jsonl"), `["one text", "another"]`+"\n"+`{"query": ["q"], "text": ["a", "b"]}`+"\n")
	tinyCollection(t, dir)
	file = filepath.Join(dir, "run.yaml")
	write(t, file, fmt.Sprintf("retriever: {checkpoint: %[1]s/tiny-qwen2/retriever}\nlm: {checkpoint: %[1]s/tiny-llama/lm, lora: {rank: 4}}\n%[2]s",
		testdata.Fixtures(t), strings.ReplaceAll(more, "DIR", dir)))
	return dir, file
}

func TestFixtureCheck(t *testing.T) {
	dir, file := checkFiles(t, "data: {groups: [DIR/groups.jsonl]}\nevaluate: {collections: [DIR/tiny]}\n")
	stdout, stderr, status := run(t, "check", "--config", file, "--json")
	if status != 0 || stderr != "" {
		t.Fatalf("status %d: %s", status, stderr)
	}
	var got checked
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	if r := got.Retriever; r.Architecture == "" || r.Parameters == 0 || r.Learning != r.Parameters || r.Memory.Activations == 0 {
		t.Errorf("retriever: %+v", r)
	}
	if l := got.LM; l.Learning == 0 || l.Learning >= l.Parameters {
		t.Errorf("lm: %+v", l)
	}
	if g := got.Groups; g.Groups != 2 || g.Texts != 2 || g.Queries != 0 || len(g.Files) != 1 {
		t.Errorf("groups: %+v", g)
	}
	if want := (checkedCollection{Name: "tiny", Queries: 1, Documents: 2}); len(got.Collections) != 1 || got.Collections[0] != want {
		t.Errorf("collections: %+v", got.Collections)
	}
	stdout, _, _ = run(t, "check", "--config", file)
	for _, want := range []string{"config ", "retriever ", "lm ", "groups       2; the first has 2 texts\n",
		"collection   tiny: 1 queries, 2 documents\n", "memory       about "} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 3 {
		t.Errorf("the dry run wrote something: %v, %v", entries, err)
	}
}

// InfoNCE reads no language model, so none is checked.
func TestFixtureCheckInfoNCE(t *testing.T) {
	_, file := checkFiles(t, "objective: {name: infonce}\n")
	stdout, stderr, status := run(t, "check", "--config", file)
	if status != 0 || strings.Contains(stdout, "\nlm ") || !strings.Contains(stdout, "none named (data.groups)") {
		t.Errorf("status %d: %s%s", status, stderr, stdout)
	}
}

// What the configuration names is checked in one go, each mistake on a line that says where it was named.
func TestFixtureCheckErrors(t *testing.T) {
	dir, file := checkFiles(t, `data: {groups: [DIR/absent.jsonl]}
evaluate:
  metrics: [ndgc@10]
  collections:
    - DIR/tiny
    - DIR/absent
`)
	stdout, stderr, status := run(t, "check", "--config", file, "--set", "retriever.checkpoint="+dir+"/absent")
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	if status != 1 || stdout != "" || len(lines) != 4 {
		t.Fatalf("status %d: %s%s", status, stderr, stdout)
	}
	for i, want := range []string{
		"revela: " + file + `:5: evaluate.metrics: unknown metric "ndgc@10", expected one of: `,
		"revela: --set retriever.checkpoint=" + dir + "/absent: retriever.checkpoint: resolve checkpoint ",
		"revela: " + file + ":3: data.groups: ",
		"revela: " + file + ":8: evaluate.collections[1]: ",
	} {
		if !strings.HasPrefix(lines[i], want) {
			t.Errorf("got  %s\nwant %s…", lines[i], want)
		}
	}
}

// A folder needs no download; its name comes back as it is.
func TestFixtureDownloadOfAFolder(t *testing.T) {
	folder := filepath.Join(testdata.Fixtures(t), "backbones", "llama")
	stdout, stderr, status := run(t, "download", "--json", folder)
	var got []downloaded
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || status != 0 || stderr != "" {
		t.Fatalf("status %d, %v: %s", status, err, stderr)
	}
	if len(got) != 1 || got[0] != (downloaded{ID: folder, Folder: folder}) {
		t.Errorf("got %+v", got)
	}
}
