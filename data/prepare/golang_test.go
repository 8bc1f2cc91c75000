package prepare

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// quickStart is the data of the quick start: Go's standard library.
func quickStart(t *testing.T) Options {
	t.Helper()
	output, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	src := filepath.Join(strings.TrimSpace(string(output)), "src")
	return Options{
		Input: []string{src, "!" + filepath.Join(src, "cmd")}, Output: filepath.Join(t.TempDir(), "groups.jsonl.zst"),
		Unit: Functions, Queries: Comments, GroupBy: ByPackage, GroupSize: 8, Holdout: 0.24, Tuning: 0.08, HoldoutBy: ByPackage, Seed: 1,
	}
}

func TestGoStandardLibrary(t *testing.T) {
	sum, err := Run(context.Background(), quickStart(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v\n%+v\n%+v", sum, sum.Holdout, sum.Tuning)
}
