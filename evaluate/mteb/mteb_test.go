package mteb

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"revela/internal/testdata"
)

func read(t *testing.T, elem ...string) map[string]any {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	var value map[string]any
	if err := json.Unmarshal(content, &value); err != nil {
		t.Fatal(err)
	}
	return value
}

func task(subset string, score float64) Task {
	return Task{Name: "CodeSearchNetRetrieval", Revision: "r1", Split: "test", Subset: subset, Languages: []string{"eng-Latn"},
		Scores: map[string]float64{"ndcg_at_10": score, "map_at_10": 0.25}, Main: "ndcg_at_10", Seconds: 1.5, When: time.Unix(1700000000, 0)}
}

// Files lie where mteb looks for them; subsets of a task share one, and a repeated one replaces its scores.
func TestWrite(t *testing.T) {
	root := t.TempDir()
	model := Model{Name: "org/name", Revision: "abc", Dim: 384, Similarity: "cosine", Prompts: true}
	for _, step := range []Task{task("go", 0.5), task("python", 0.75), task("go", 0.625)} {
		if err := Write(root, model, step); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(root, "results", "org__name", "abc")
	got := read(t, dir, "CodeSearchNetRetrieval.json")
	entry := func(subset string, score float64) map[string]any {
		return map[string]any{"hf_subset": subset, "languages": []any{"eng-Latn"}, "main_score": score, "ndcg_at_10": score, "map_at_10": 0.25}
	}
	want := map[string]any{"dataset_revision": "r1", "task_name": "CodeSearchNetRetrieval", "mteb_version": nil,
		"evaluation_time": 1.5, "kg_co2_emissions": nil, "date": 1.7e9,
		"scores": map[string]any{"test": []any{entry("python", 0.75), entry("go", 0.625)}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	meta := read(t, dir, "model_meta.json")
	for name, want := range map[string]any{"name": "org/name", "revision": "abc", "embed_dim": 384.0, "max_tokens": nil,
		"similarity_fn_name": "cosine", "use_instructions": true, "framework": []any{}, "model_type": []any{"dense"}} {
		if !reflect.DeepEqual(meta[name], want) {
			t.Errorf("%s: got %v, want %v", name, meta[name], want)
		}
	}
	other := task("go", 0.5)
	other.Revision = "r2"
	if err := Write(root, model, other); err != nil {
		t.Fatal(err)
	}
	if scores := read(t, dir, "CodeSearchNetRetrieval.json")["scores"].(map[string]any)["test"].([]any); len(scores) != 1 {
		t.Errorf("scores of other data stayed: %v", scores)
	}
}

func TestWriteErrors(t *testing.T) {
	root, model := t.TempDir(), Model{Name: "org/name", Revision: "abc"}
	wrong := task("go", 0.5)
	wrong.Main = "map_at_3"
	if err := Write(root, model, wrong); fmt.Sprint(err) != `write mteb's file of CodeSearchNetRetrieval: no score "map_at_3"` {
		t.Errorf("got %v", err)
	}
	path := filepath.Join(root, "results", "org__name", "abc", "CodeSearchNetRetrieval.json")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("[]"), 0o644); err != nil {
		t.Fatal(err)
	}
	want := path + ": expected mteb's results of a task: "
	if err := Write(root, model, task("go", 0.5)); err == nil || err.Error()[:len(want)] != want {
		t.Errorf("got %v, want %s…", err, want)
	}
}

// The fields are those of published files.
func TestDataFields(t *testing.T) {
	published := testdata.Data(t, "mteb-results", "sentence-transformers__all-MiniLM-L6-v2", "8b3219a92973c328a8e22fadcfa821b5dc75636a")
	root := t.TempDir()
	if err := Write(root, Model{Name: "org/name", Revision: "abc"}, task("go", 0.5)); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "results", "org__name", "abc")
	newer := map[string]bool{"date": true, "loader_kwargs": true, "model_type": true} // of mteb 2 alone
	older := map[string]bool{"is_cross_encoder": true}
	for ours, theirs := range map[string]string{"CodeSearchNetRetrieval.json": "SciFact.json", "model_meta.json": "model_meta.json"} {
		got, want := read(t, dir, ours), read(t, published, theirs)
		for name := range got {
			if _, known := want[name]; !known && !newer[name] {
				t.Errorf("%s: %s is no field of published files", ours, name)
			}
		}
		for name := range want {
			if _, there := got[name]; !there && !older[name] {
				t.Errorf("%s lacks %s", ours, name)
			}
		}
	}
}
