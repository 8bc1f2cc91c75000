package train

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Names in a run folder.
const (
	configFile      = "config.yaml"
	metricsFile     = "metrics.jsonl"
	evaluationsFile = "evaluations.jsonl"
	checkpointsDir  = "checkpoints"
	modelDir        = "model"
)

// runEntries are what a run writes below its folder; groups that `prepare` put beside them are none of it.
var runEntries = []string{configFile, metricsFile, evaluationsFile, checkpointsDir, modelDir, "results", "runs", "mteb",
	"summary.md", "summary.json", "report.html"}

// runFolder is the folder that a run writes to.
type runFolder string

// openRunFolder creates the folder and makes sure that it can be written to, before anything long starts.
func openRunFolder(path string) (runFolder, error) {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return "", fmt.Errorf("output: create the run folder: %w", err)
	}
	probe, err := os.CreateTemp(path, ".probe.*")
	if err != nil {
		return "", fmt.Errorf("output: write to the run folder: %w", err)
	}
	if err := errors.Join(probe.Close(), os.Remove(probe.Name())); err != nil {
		return "", fmt.Errorf("output: write to the run folder: %w", err)
	}
	return runFolder(path), nil
}

func (f runFolder) path(elem ...string) string {
	return filepath.Join(append([]string{string(f)}, elem...)...)
}

// checkpoint is the folder of the checkpoint after a step.
func (f runFolder) checkpoint(step int) string {
	return f.path(checkpointsDir, fmt.Sprintf("step-%06d", step))
}

// checkpoints returns the steps after which there is a checkpoint, in order. A checkpoint's folder gets its name when it
// is complete.
func (f runFolder) checkpoints() ([]int, error) {
	entries, err := os.ReadDir(f.path(checkpointsDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list checkpoints: %w", err)
	}
	var steps []int
	for _, entry := range entries {
		digits, ok := strings.CutPrefix(entry.Name(), "step-")
		if step, err := strconv.Atoi(digits); ok && err == nil && entry.IsDir() {
			steps = append(steps, step)
		}
	}
	slices.Sort(steps)
	return steps, nil
}

// prune removes all but the newest checkpoints, and what killed runs left half-written.
func (f runFolder) prune(keep int) error {
	steps, err := f.checkpoints()
	if err != nil {
		return err
	}
	for _, step := range steps[:max(0, len(steps)-keep)] {
		if err := os.RemoveAll(f.checkpoint(step)); err != nil {
			return fmt.Errorf("remove an old checkpoint: %w", err)
		}
	}
	return f.removeLeftovers()
}

// removeLeftovers removes temporary folders of checkpoints and models that a killed run did not finish.
func (f runFolder) removeLeftovers() error {
	for _, pattern := range []string{f.path(checkpointsDir, ".step-*.tmp*"), f.path("." + modelDir + ".*.tmp*")} {
		leftovers, err := filepath.Glob(pattern)
		if err != nil {
			return fmt.Errorf("list leftovers: %w", err)
		}
		for _, path := range leftovers {
			if err := os.RemoveAll(path); err != nil {
				return fmt.Errorf("remove leftovers: %w", err)
			}
		}
	}
	return nil
}

// removeAfter removes the checkpoints after a step, and the model of a run that had gone further.
func (f runFolder) removeAfter(step int) error {
	steps, err := f.checkpoints()
	if err != nil {
		return err
	}
	for _, later := range steps {
		if later > step {
			err = errors.Join(err, os.RemoveAll(f.checkpoint(later)))
		}
	}
	if err := errors.Join(err, os.RemoveAll(f.path(modelDir))); err != nil {
		return fmt.Errorf("remove later checkpoints: %w", err)
	}
	return nil
}

// setAside moves an older run to previous-N below the folder and returns where; "" where there is none.
func (f runFolder) setAside() (string, error) {
	var aside string
	for _, name := range runEntries {
		if _, err := os.Lstat(f.path(name)); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if aside == "" {
			var err error
			if aside, err = f.newPrevious(); err != nil {
				return "", err
			}
		}
		if err := os.Rename(f.path(name), filepath.Join(aside, name)); err != nil {
			return "", fmt.Errorf("move the old run aside: %w", err)
		}
	}
	return aside, nil
}

// newPrevious creates the first free folder previous-N.
func (f runFolder) newPrevious() (string, error) {
	for n := 1; ; n++ {
		dir := f.path(fmt.Sprintf("previous-%d", n))
		switch err := os.Mkdir(dir, 0o755); {
		case err == nil:
			return dir, nil
		case !errors.Is(err, fs.ErrExist):
			return "", fmt.Errorf("move the old run aside: %w", err)
		}
	}
}
