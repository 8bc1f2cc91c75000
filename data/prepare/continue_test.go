package prepare

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asProcess makes the test binary prepare the corpus that it names, and say how far it is, so that a test can kill it.
const asProcess = "REVELA_TEST_PREPARE"

func TestMain(m *testing.M) {
	if task := os.Getenv(asProcess); task != "" {
		saveEvery, keptUnits = 0, 0
		fields := strings.Split(task, "\n")
		_, err := Run(context.Background(), continued(fields[0], fields[1], fields[2]), func(e Event) {
			fmt.Println(e.Stage, e.Files, e.Done)
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func continued(input, output, groupBy string) Options {
	return Options{
		Input: []string{input}, Output: output, Unit: Sentences, Queries: NoQueries, GroupBy: groupBy, GroupSize: 4,
		HoldoutBy: ByDocument, Seed: 7,
	}
}

// distinctTexts writes 20 files of 60 texts each, of 500 bytes.
func distinctTexts(t *testing.T) string {
	files := map[string]string{}
	for i := range 20 {
		var lines strings.Builder
		for j := range 60 {
			lines.WriteString(record(fmt.Sprintf("d%d/%d", i, j), "", long(fmt.Sprintf("Number%d topic%d of kind%d", 60*i+j, j, i))))
		}
		files[fmt.Sprintf("%02d.jsonl", i)] = lines.String()
	}
	return tree(t, files)
}

// prepared runs a process that prepares, and kills it at a line that it prints; "" lets it end. It returns the lines.
func prepared(t *testing.T, input, output, groupBy, killAt string) (lines []string) {
	t.Helper()
	process := exec.Command(os.Args[0])
	process.Env = append(os.Environ(), asProcess+"="+strings.Join([]string{input, output, groupBy}, "\n"))
	process.Stderr = os.Stderr
	out, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	killed := false
	for scanner := bufio.NewScanner(out); scanner.Scan(); {
		line := scanner.Text()
		if lines = append(lines, line); killAt != "" && !killed && strings.HasPrefix(line, killAt) {
			killed = true
			if err := process.Process.Kill(); err != nil { // SIGKILL
				t.Fatal(err)
			}
		}
	}
	if err := process.Wait(); (err != nil) != (killAt != "") || killed != (killAt != "") {
		t.Fatalf("killed at %q: %v, process ended with %v", killAt, killed, err)
	}
	return lines
}

// A process that is killed while it reads, indexes or groups, and is started again, comes to the same bytes, without doing all
// of it once more.
func TestKilledProcessesContinue(t *testing.T) {
	input := distinctTexts(t)
	for _, groupBy := range []string{ByDocument, BM25} {
		whole := t.TempDir()
		first := prepared(t, input, filepath.Join(whole, "groups.jsonl"), groupBy, "")
		want := outputs(t, whole)
		moments := []string{"read 1 ", "read 12 ", "group 0 "}
		if groupBy == BM25 {
			moments = []string{"read 12 ", "index 0 0", "group 0 0", "group 0 320"}
		}
		for _, moment := range moments {
			dir := t.TempDir()
			output := filepath.Join(dir, "groups.jsonl")
			prepared(t, input, output, groupBy, moment)
			if _, err := os.Stat(output); err == nil {
				t.Errorf("%s, killed at %q: the output is there", groupBy, moment)
			}
			if kept, err := filepath.Glob(filepath.Join(dir, ".groups.jsonl.partial", "neighbours", "*")); moment == "group 0 320" && (err != nil || len(kept) == 0) {
				t.Errorf("killed at %q: no neighbours are kept, %v", moment, err)
			}
			again := prepared(t, input, output, groupBy, "")
			if !reflect.DeepEqual(outputs(t, dir), want) {
				t.Errorf("%s, killed at %q: other outputs than of the unbroken run, or something left beside them", groupBy, moment)
			}
			if len(again) >= len(first) {
				t.Errorf("%s, killed at %q: nothing was continued", groupBy, moment)
			}
		}
	}
}

// smallDisk mounts a file system of a size, and returns it with a function that gives it room.
func smallDisk(t *testing.T, size string) (dir string, enlarge func()) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir, func() {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=100m"); err != nil {
			t.Fatal(err)
		}
	}
}

// A full disk is an error that says so and leaves what was read; with room again the same command comes to the same bytes.
func TestFullDiskContinues(t *testing.T) {
	defer func(every time.Duration) { saveEvery = every }(saveEvery)
	input := distinctTexts(t)
	whole := continued(input, filepath.Join(t.TempDir(), "groups.jsonl"), ByDocument)
	if _, err := Run(context.Background(), whole, nil); err != nil {
		t.Fatal(err)
	}
	want := outputs(t, filepath.Dir(whole.Output))
	saveEvery = 0
	for _, test := range []struct {
		size string // of the disk
		read bool   // everything before it is full
	}{{"300k", false}, {"900k", true}} {
		dir, enlarge := smallDisk(t, test.size)
		opt := whole
		opt.Output = filepath.Join(dir, "groups.jsonl")
		_, err := Run(context.Background(), opt, nil)
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "what was done so far is kept in "+opt.workDir()+": free space and run the same command again") {
			t.Fatalf("disk of %s: got %v", test.size, err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
			t.Errorf("disk of %s: left behind: %v, %v", test.size, left, err)
		}
		enlarge()
		firstRead := -1
		if _, err := Run(context.Background(), opt, func(e Event) {
			if firstRead < 0 && e.Stage == "read" {
				firstRead = e.Files
			}
		}); err != nil {
			t.Fatal(err)
		}
		if test.read && firstRead >= 0 || !test.read && firstRead < 1 {
			t.Errorf("disk of %s: reading goes on at file %d", test.size, firstRead)
		}
		if !reflect.DeepEqual(outputs(t, dir), want) {
			t.Errorf("disk of %s: other outputs than on a large one", test.size)
		}
	}
}
