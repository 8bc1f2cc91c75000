package profile_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"revela/torch/profile"
)

// A trace holds the products of forward and backward, each on the time line that Perfetto reads.
func TestTrace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "step.json")
	err := profile.Trace(path, false, func() error {
		multiply(t, "here")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var trace struct {
		Events []struct {
			Phase    string  `json:"ph"`
			Name     string  `json:"name"`
			Duration float64 `json:"dur"`
		} `json:"traceEvents"`
	}
	if err := json.Unmarshal(content, &trace); err != nil {
		t.Fatal(err)
	}
	products := 0
	for _, e := range trace.Events {
		if e.Name == "aten::mm" && e.Phase == "X" && e.Duration > 0 {
			products++
		}
	}
	if products != 3 {
		t.Errorf("%d products in the trace, want 3", products)
	}
}

// Work that fails leaves no trace, and its error is the one that is told; the next trace is whole again.
func TestTraceOfFailure(t *testing.T) {
	path := filepath.Join(t.TempDir(), "step.json")
	failure := errors.New("no step")
	if err := profile.Trace(path, false, func() error { return failure }); !errors.Is(err, failure) {
		t.Errorf("got %v, want %v", err, failure)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file was left: %v", err)
	}
	if err := profile.Trace(path, false, func() error { return nil }); err != nil {
		t.Error(err)
	}
}
