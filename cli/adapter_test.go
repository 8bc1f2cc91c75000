package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"revela/evaluate"
	"revela/internal/fakehub"
	"revela/internal/testdata"
)

// folderFiles are a folder's files by name, without those below it.
func folderFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, entry := range entries {
		if entry.Type().IsRegular() {
			files[entry.Name()] = readPage(t, filepath.Join(dir, entry.Name()))
		}
	}
	return files
}

// A published adapter is scored on its base, both from the hub, the adapter at a commit: as from folders, and not as the
// base alone.
func TestFixturePublishedAdapter(t *testing.T) {
	fixtures, dir := testdata.Fixtures(t), t.TempDir()
	base, adapter := filepath.Join(fixtures, "tiny-llama", "retriever"), filepath.Join(fixtures, "lora-steps-llama", "step-20", "retriever")
	hub := madeHub(t)
	hub.Repos["models/org/base"], hub.Repos["models/org/adapter"] = folderFiles(t, base), folderFiles(t, adapter)
	collection := tinyCollection(t, dir)
	evaluated := func(name string, arguments ...string) (evaluate.Result, string) {
		t.Helper()
		output := filepath.Join(dir, name)
		_, stderr, status := run(t, append([]string{"evaluate", "--collection", collection, "--output", output, "--no-cache", "--no-baseline"}, arguments...)...)
		if status != 0 {
			t.Fatalf("%s: status %d: %s", name, status, stderr)
		}
		content, err := os.ReadFile(filepath.Join(output, "results", "tiny.json"))
		if err != nil {
			t.Fatal(err)
		}
		var result evaluate.Result
		if err := json.Unmarshal(content, &result); err != nil {
			t.Fatal(err)
		}
		ranked, err := evaluate.ReadRun(filepath.Join(output, "runs", "tiny.trec"))
		if err != nil {
			t.Fatal(err)
		}
		scores, err := json.Marshal(ranked.Hits)
		if err != nil {
			t.Fatal(err)
		}
		return result, string(scores)
	}
	result, published := evaluated("hub", "--model", "org/base", "--adapter", "org/adapter@"+fakehub.Commit)
	_, local := evaluated("folders", "--model", base, "--adapter", adapter)
	_, alone := evaluated("base", "--model", base)
	if published != local || published == alone {
		t.Errorf("from the hub %s, from folders %s, the base alone %s", published, local, alone)
	}
	if result.Settings["adapter"] != "org/adapter@"+fakehub.Commit {
		t.Errorf("settings %v", result.Settings)
	}
	if !slices.ContainsFunc(hub.Requests(), func(r string) bool { return strings.Contains(r, "/api/models/org/adapter/revision/"+fakehub.Commit) }) {
		t.Errorf("the commit was not asked for: %v", hub.Requests())
	}
}
