package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"revela/data"
	"revela/data/prepare"
)

// documents writes a folder of texts and returns it.
func documents(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "docs")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bees", "ants", "wasps"} {
		var text strings.Builder
		for _, verb := range []string{"fly", "dig", "build", "hunt", "rest", "sing", "swarm", "feed"} {
			text.WriteString(strings.Repeat("On every warm day of the year the "+name+" "+verb+" beside the old stone wall. ", 6))
		}
		write(t, filepath.Join(dir, name+".txt"), text.String())
	}
	return dir
}

func TestPrepare(t *testing.T) {
	docs := documents(t)
	output := filepath.Join(t.TempDir(), "groups.jsonl")
	stdout, stderr, status := run(t, "prepare", "--input", docs, "--output", output, "--json", "--set", "prepare.group_size=3")
	var got prepare.Summary
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || status != 0 {
		t.Fatalf("status %d, %v: %s%s", status, err, stdout, stderr)
	}
	groups, err := data.Open([]string{output}, data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer groups.Close()
	if got.Files != 3 || got.Groups == 0 || got.Groups != groups.Len() || got.Output != output {
		t.Errorf("%d groups in the file, summary %+v", groups.Len(), got)
	}
	stdout, _, status = run(t, "prepare", "--input", docs, "--output", output)
	if status != 0 || !strings.HasPrefix(stdout, output+": ") || !strings.Contains(stdout, "from 3 files\n") {
		t.Errorf("status %d: %s", status, stdout)
	}
}

// What the package below refuses is reported with the place where its key was set.
func TestPrepareLocatesErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.yaml")
	write(t, file, "retriever: {checkpoint: r}\nlm: {checkpoint: l}\nprepare:\n  input: [.]\n  group_by: package\n")
	requireFailure(t, 1, file+":5: prepare.group_by: package, expected document, bm25, folder or random with unit: sentences",
		"prepare", "--config", file)
}
