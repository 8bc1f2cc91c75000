package train

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"revela/config"
)

// start is where a run begins.
type start struct {
	dir   string // the checkpoint to continue; "" at the beginning
	state trainerState
}

// mayDiffer are the keys, or sections, in which a run may differ from the one that it continues: no number of training
// depends on them.
var mayDiffer = []string{"output", "threads", "prepare", "evaluate", "train.resume", "train.log_every", "train.save_every",
	"train.keep_checkpoints", "train.evaluate_every", "train.activation_checkpointing"}

// findStart decides what train.resume means for what is in the folder, and makes room for the run.
func findStart(f runFolder, c *config.Config, r record, log func(string)) (start, error) {
	switch c.Train.Resume {
	case "never":
		return start{}, startAnew(f, log)
	case "auto":
		s, err := newest(f)
		if err != nil || s.dir == "" {
			return s, err
		}
		return s, s.check(c, r)
	}
	s := start{dir: c.Train.Resume}
	var err error
	if s.state, err = readState(s.dir); err != nil {
		return s, fmt.Errorf("%s: %w", at(c, "train.resume"), err)
	}
	if err := s.check(c, r); err != nil {
		return s, err
	}
	if s.state.Finished {
		return s, nil
	}
	if !f.holds(s.dir) {
		return s, startAnew(f, log)
	}
	return s, f.removeAfter(s.state.Step)
}

// startAnew moves what an older run left aside.
func startAnew(f runFolder, log func(string)) error {
	aside, err := f.setAside()
	if aside != "" {
		log("the old run is now in " + aside)
	}
	return err
}

// newest returns the newest checkpoint whose trainer.json can be read.
func newest(f runFolder) (start, error) {
	steps, err := f.checkpoints()
	if err != nil {
		return start{}, err
	}
	for _, step := range slices.Backward(steps) {
		dir := f.checkpoint(step)
		if state, err := readState(dir); err == nil {
			return start{dir, state}, nil
		}
	}
	return start{}, nil
}

// holds reports whether dir is a checkpoint of this folder's own run.
func (f runFolder) holds(dir string) bool {
	own, err1 := filepath.Abs(f.path(checkpointsDir))
	parent, err2 := filepath.Abs(filepath.Dir(filepath.Clean(dir)))
	return err1 == nil && err2 == nil && own == parent
}

// check makes sure that the run to continue is the one that the configuration describes.
func (s start) check(c *config.Config, r record) error {
	stored, err := config.Load(filepath.Join(s.dir, configFile), nil)
	if err != nil {
		return fmt.Errorf("%s: read the configuration of the checkpoint: %w", at(c, "train.resume"), err)
	}
	differences, err := config.Diff(stored, c)
	if err != nil {
		return err
	}
	for _, d := range differences {
		if slices.ContainsFunc(mayDiffer, func(key string) bool { return d.Key == key || strings.HasPrefix(d.Key, key+".") }) {
			continue
		}
		return fmt.Errorf("%s: found %s, expected %s as in the run of %s (train.resume: never starts anew and keeps the old run)",
			at(c, d.Key), d.B, d.A, s.dir)
	}
	for i, stored := range s.state.Inputs {
		if i >= len(r.inputs) || r.inputs[i].SHA256 != stored.SHA256 {
			return fmt.Errorf("%s: %s is no longer the file that the run of %s was started from "+
				"(train.resume: never starts anew and keeps the old run)", at(c, "train.resume"), stored.Path, s.dir)
		}
	}
	return nil
}
