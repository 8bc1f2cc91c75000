package testdata

import (
	"os"
	"os/exec"
	"testing"
)

// Python returns the interpreter that $REVELA_PYTHON names, where it runs the statement probe, and skips the test
// otherwise; needs says in words what it is to have.
func Python(t testing.TB, needs, probe string) string {
	t.Helper()
	python := os.Getenv("REVELA_PYTHON")
	if python == "" {
		t.Skip("REVELA_PYTHON names no Python with " + needs)
	}
	if err := exec.Command(python, "-c", probe).Run(); err != nil {
		t.Skipf("%s has no %s", python, needs)
	}
	return python
}
