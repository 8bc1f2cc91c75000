// Package testdata finds what tests read: the golden fixtures and the real collections.
package testdata

import (
	"os"
	"path/filepath"
	"testing"
)

// Fixtures returns the folder of the golden fixtures: $REVELA_FIXTURES, else testdata/revela of this repository.
func Fixtures(t testing.TB) string {
	t.Helper()
	if dir := os.Getenv("REVELA_FIXTURES"); dir != "" {
		return absolute(t, dir)
	}
	return filepath.Join(root(t), "testdata", "revela")
}

// Data returns a folder or file of the real collections below $REVELA_DATA (default: ../shared/data beside
// this repository) and skips the test where it is missing.
func Data(t testing.TB, elem ...string) string {
	t.Helper()
	dir := os.Getenv("REVELA_DATA")
	if dir == "" {
		dir = filepath.Join(root(t), "..", "shared", "data")
	}
	path := filepath.Join(append([]string{absolute(t, dir)}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no real collections here: %s is missing; set REVELA_DATA to run this test", path)
	}
	return path
}

// absolute resolves a folder named in the environment from the root of the repository, since
// go test runs every package in its own folder.
func absolute(t testing.TB, dir string) string {
	if filepath.IsAbs(dir) {
		return dir
	}
	return filepath.Join(root(t), dir)
}

// root returns the repository's root: go test runs every package's tests in the package's own folder.
// The compiler's file names do not tell it, since -trimpath makes them relative.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatalf("locate the repository: %v", err)
	}
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return at
		}
		if at == filepath.Dir(at) {
			t.Fatalf("locate the repository: no go.mod in or above %s", dir)
		}
	}
}
