package evaluate_test

import (
	"bufio"
	"context"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"revela/evaluate"
	"revela/evaluate/embeddings"
)

// hashed makes wide vectors of the hash of a text.
type hashed struct{ counting }

const wide = 512

func (h *hashed) Encode(_ context.Context, texts []string, _ evaluate.Kind, progress func(done, total int)) ([]float32, int, error) {
	rows := make([]float32, wide*len(texts))
	for i, text := range texts {
		f := fnv.New64a()
		f.Write([]byte(text))
		state := f.Sum64()
		for j := range wide {
			state = state*6364136223846793005 + 1442695040888963407
			rows[wide*i+j] = float32(int32(state>>32)) / (1 << 31)
		}
		h.texts++
	}
	progress(len(texts), len(texts))
	return rows, wide, nil
}

// TestSearchInBoundedMemory searches a corpus whose embeddings take 320 MiB in a process of its own, first encoding and then
// from the store, and reads how much memory it ever had. Blocks of 4096 documents take 8 MiB; the rest is the ids, the
// queries' best, the tile of products and what Go's collector has not yet taken back.
func TestSearchInBoundedMemory(t *testing.T) {
	const documents, limit = 40 * 4096, 100 << 20
	if store := os.Getenv("REVELA_TEST_STORE"); store != "" {
		searchInChild(t, store)
		return
	}
	if testing.Short() {
		t.Skip("writes 320 MiB")
	}
	dir := t.TempDir()
	writeNumbered(t, filepath.Join(dir, "numbered"), documents)
	var runs []string
	for range 2 {
		child := exec.Command(os.Args[0], "-test.run", "^TestSearchInBoundedMemory$", "-test.v")
		child.Env = append(os.Environ(), "REVELA_TEST_STORE="+dir)
		output, err := child.CombinedOutput()
		var encoded, peak int64
		var run string
		for line := range strings.Lines(string(output)) {
			fmt.Sscanf(line, "encoded %d peak %d hits %s", &encoded, &peak, &run)
		}
		if err != nil || peak == 0 {
			t.Fatalf("%v: %s", err, output)
		}
		want := int64(documents + 2)
		if len(runs) > 0 {
			want = 0
		}
		if t.Logf("encoded %d texts, %d MiB", encoded, peak>>20); peak > limit || encoded != want {
			t.Errorf("encoded %d texts, want %d; %d MiB of memory, at most %d are fine", encoded, want, peak>>20, limit>>20)
		}
		runs = append(runs, run)
	}
	if runs[0] != runs[1] {
		t.Errorf("first %s, then from the store %s", runs[0], runs[1])
	}
}

func searchInChild(t *testing.T, dir string) {
	c, err := evaluate.OpenCollection(filepath.Join(dir, "numbered"), "test")
	if err != nil {
		t.Fatal(err)
	}
	e := &hashed{}
	d := evaluate.Dense{Encoder: e, Block: 4096, Cache: embeddings.Open(filepath.Join(dir, "store"), func(note string) { t.Error(note) })}
	run, err := d.Search(context.Background(), c, evaluate.SearchOptions{TopK: 1000})
	if err != nil {
		t.Fatal(err)
	}
	f := fnv.New64a()
	fmt.Fprint(f, run.Hits)
	fmt.Printf("encoded %d peak %d hits %x\n", e.texts, peakMemory(t), f.Sum64())
}

// peakMemory is the process's greatest resident set, mapped files included.
func peakMemory(t *testing.T) int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("the system does not tell a process's memory")
	}
	for line := range strings.Lines(string(status)) {
		var kilobytes int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kilobytes); n == 1 {
			return kilobytes << 10
		}
	}
	t.Fatal("no VmHWM in /proc/self/status")
	return 0
}

func writeNumbered(t *testing.T, dir string, documents int) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, "qrels"), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(dir, "corpus.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	for i := range documents {
		fmt.Fprintf(w, "{\"_id\": \"%d\", \"text\": \"number %d\"}\n", i, i)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"queries.jsonl": `{"_id": "q1", "text": "one"}` + "\n" + `{"_id": "q2", "text": "two"}`,
		"qrels/test.tsv": "q1\t1\t1\nq2\t2\t1\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
