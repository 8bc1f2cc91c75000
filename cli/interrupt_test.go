package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"
	"time"
)

// asProgram makes the test binary behave as the program, so that a test can send it signals.
const asProgram = "REVELA_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(Main(os.Args))
	}
	dir, err := os.MkdirTemp("", "revela-cli-test.*")
	if err == nil {
		err = os.Chmod(dir, 0o777) // a test is another user
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	embeddingsFolder = func() (string, error) { return dir, nil }
	status := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(status)
}

// Ctrl-C in the middle of a download ends the program with one line and the status of an interrupt.
func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	asked := make(chan struct{}, 100)
	hub := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done() // a hub that never answers
	}))
	defer hub.Close()

	program := exec.CommandContext(ctx, os.Args[0], "download", "org/name")
	program.Env = append(os.Environ(), asProgram+"=1", "HF_ENDPOINT="+hub.URL, "HF_HOME="+t.TempDir(), "HF_HUB_OFFLINE=0")
	var stderr bytes.Buffer
	program.Stderr = &stderr
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	<-asked
	if err := program.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := program.Wait(); !errors.As(err, &exit) || exit.ExitCode() != statusInterrupted {
		t.Errorf("the program ended with %v, want status %d", err, statusInterrupted)
	}
	if want := "revela: interrupted\n"; stderr.String() != want {
		t.Errorf("got %q, want %q", stderr.String(), want)
	}
}
