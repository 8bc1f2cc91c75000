package evaluate_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"weak"

	"revela/evaluate"
)

// lazily makes entries a, b, … of small collections and notes in events when one is opened.
func lazily(t *testing.T, n int, events *[]string, opened func(c *evaluate.Collection)) []evaluate.Entry {
	t.Helper()
	var entries []evaluate.Entry
	for i := range n {
		name := string(rune('a' + i))
		entries = append(entries, evaluate.Entry{Name: name, Open: func(context.Context) (*evaluate.Collection, error) {
			*events = append(*events, "open "+name)
			c := manyDocuments(t, 10)
			c.Name = name
			opened(c)
			return c, nil
		}})
	}
	return entries
}

func evaluateEach(t *testing.T, entries []evaluate.Entry, output string, progress func(stage string, done, total int)) ([]evaluate.Result, error) {
	t.Helper()
	measures, err := evaluate.ParseMeasures([]string{"ndcg@10"})
	if err != nil {
		t.Fatal(err)
	}
	return evaluate.EvaluateEach(context.Background(), evaluate.Dense{Encoder: &counting{}}, entries,
		evaluate.Options{SearchOptions: evaluate.SearchOptions{TopK: 5, Progress: progress}, Metrics: measures, Output: output})
}

// A collection is opened when the one before is measured and written, and nothing of that stays in memory.
func TestOpenedInTurn(t *testing.T) {
	output := t.TempDir()
	var events []string
	var all []weak.Pointer[evaluate.Collection]
	entries := lazily(t, 3, &events, func(c *evaluate.Collection) { all = append(all, weak.Make(c)) })
	last := entries[2].Open
	entries[2].Open = func(ctx context.Context) (*evaluate.Collection, error) {
		for _, name := range []string{"a", "b"} {
			if _, err := os.Stat(filepath.Join(output, "results", name+".json")); err != nil {
				t.Error(err)
			}
		}
		runtime.GC()
		for i, c := range all {
			if c.Value() != nil {
				t.Errorf("collection %d is still in memory", i+1)
			}
		}
		return last(ctx)
	}
	results, err := evaluateEach(t, entries, output, func(stage string, done, total int) {
		if done == total && stage == "documents" {
			events = append(events, "searched")
		}
	})
	if err != nil || len(results) != 3 {
		t.Fatalf("%d results, %v", len(results), err)
	}
	if want := []string{"open a", "searched", "open b", "searched", "open c", "searched"}; !slices.Equal(events, want) {
		t.Errorf("got %v, want %v", events, want)
	}
}

// One that cannot be opened does not stop the others; where none can, nothing is written.
func TestUnopenedCollections(t *testing.T) {
	var events []string
	entries := lazily(t, 3, &events, func(*evaluate.Collection) {})
	for _, i := range []int{0, 2} {
		entries[i].Open = func(context.Context) (*evaluate.Collection, error) {
			return nil, fmt.Errorf("%s is broken", entries[i].Name)
		}
	}
	output := filepath.Join(t.TempDir(), "out")
	results, err := evaluateEach(t, entries, output, nil)
	if len(results) != 1 || results[0].Collection != "b" || fmt.Sprint(err) != "a is broken\nc is broken" {
		t.Errorf("got %+v, %v", results, err)
	}
	if _, err := os.Stat(filepath.Join(output, "summary.json")); err != nil {
		t.Error(err)
	}
	output = filepath.Join(t.TempDir(), "out")
	if _, err := evaluateEach(t, entries[2:], output, nil); fmt.Sprint(err) != "c is broken" {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(output); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the output folder was made: %v", err)
	}
}
