package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"revela/data"
	"revela/internal/atomicfile"
	"revela/model"
	"revela/model/checkpoint"
	"revela/torch"
)

// Files of a checkpoint, beside a folder for each model that learns.
const (
	stateFile     = "trainer.json"
	optimizerFile = "optimizer.safetensors"
)

// trainerState is trainer.json: where a checkpoint stands.
type trainerState struct {
	Step         int           `json:"step"`     // optimiser steps done
	Steps        int           `json:"steps"`    // of the whole run
	Position     data.Position `json:"position"` // of the next group
	ConfigSHA256 string        `json:"config_sha256"`
	Inputs       []input       `json:"inputs"`
	Again        bool          `json:"activations_again"` // activation checkpointing, `auto` resolved
	Finished     bool          `json:"finished"`          // and the model has been written
}

// input is a file that a run was started from.
type input struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
}

// readState reads trainer.json of a checkpoint's folder.
func readState(dir string) (trainerState, error) {
	var s trainerState
	path := filepath.Join(dir, stateFile)
	content, err := os.ReadFile(path)
	if err != nil {
		return s, fmt.Errorf("read checkpoint: %w", err)
	}
	if err := json.Unmarshal(content, &s); err != nil {
		return s, fmt.Errorf("read checkpoint: %s: %w", path, err)
	}
	return s, nil
}

func (s trainerState) write(dir string) error {
	content, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", stateFile, err)
	}
	return atomicfile.WriteBytes(filepath.Join(dir, stateFile), append(content, '\n'))
}

// saveCheckpoint writes a complete checkpoint or nothing: models, moments, random state and where training stands.
func (t *trainer) saveCheckpoint() error {
	if err := t.metrics.sync(); err != nil {
		return err
	}
	err := atomicfile.Dir(t.folder.checkpoint(t.done), func(tmp string) error {
		for _, l := range t.learners {
			if err := l.save(filepath.Join(tmp, l.name)); err != nil {
				return err
			}
		}
		if err := t.saveOptimizers(filepath.Join(tmp, optimizerFile)); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(tmp, configFile), t.record.yaml, 0o644); err != nil {
			return err
		}
		return t.state(false).write(tmp)
	})
	if err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	t.saved = t.done
	return t.folder.prune(t.in.config.Train.KeepCheckpoints)
}

func (t *trainer) state(finished bool) trainerState {
	return trainerState{Step: t.done, Steps: t.plan.steps, Position: t.in.groups.Position(t.plan.first(t.done)),
		ConfigSHA256: t.record.sha256, Inputs: t.record.inputs, Again: t.again, Finished: finished}
}

// save writes a model that learns: its adapter in PEFT's layout, or all weights in that of transformers, in fp32.
func (l *learner) save(dir string) error {
	if !l.learns() {
		return nil
	}
	if l.lora != nil {
		return model.SaveAdapter(l.network, dir, l.source.name, *l.lora)
	}
	config, err := checkpoint.ReadConfig(l.source.dir)
	if err != nil {
		return err
	}
	return model.ExportTransformers(dir, model.Export{Network: l.network, Config: config, Tokenizer: l.source.tokenizer,
		Base: l.source.name})
}

const randomState = "random_state" // the generator's, in optimizer.safetensors

func (t *trainer) saveOptimizers(path string) error {
	random, err := torch.RandomState()
	if err != nil {
		return err
	}
	tensors := []checkpoint.Tensor{{Name: randomState, DType: checkpoint.U8, Shape: []int64{int64(len(random))}, Data: random}}
	values := map[string]torch.Tensor{}
	for _, l := range t.learners {
		for name, m := range l.named() {
			values[name] = m.tensor
			tensors = append(tensors, checkpoint.Tensor{Name: name, DType: checkpoint.F32, Shape: m.shape})
		}
	}
	return checkpoint.StreamSafetensors(path, tensors, nil, func(c checkpoint.Tensor) ([]byte, error) {
		if c.Name == randomState {
			return random, nil
		}
		return values[c.Name].Bytes()
	})
}

// loadOptimizers restores what saveOptimizers wrote.
func (t *trainer) loadOptimizers(path string) error {
	file, err := checkpoint.ReadSafetensors(path)
	if err != nil {
		return err
	}
	defer file.Close()
	s := torch.NewScope()
	defer s.Close()
	for _, l := range t.learners {
		for name, m := range l.named() {
			found, ok, err := file.Tensor(name)
			if err != nil {
				return err
			}
			if !ok {
				return fmt.Errorf("%s: tensor %s is missing", path, name)
			}
			s.CopyTo(m.tensor, s.FromBytes(found.Data, torch.Float32, m.shape...))
			if s.Err() != nil {
				return fmt.Errorf("%s: tensor %s: %w", path, name, s.Err())
			}
			s.Close()
		}
	}
	random, ok, err := file.Tensor(randomState)
	if err != nil || !ok {
		return errors.Join(err, fmt.Errorf("%s: tensor %s is missing", path, randomState))
	}
	return torch.SetRandomState(random.Data)
}

// namedMoment is a tensor of the optimiser's state.
type namedMoment struct {
	tensor torch.Tensor
	shape  []int64
}

// named lists a model's moments by their names in optimizer.safetensors.
func (l *learner) named() map[string]namedMoment {
	all := map[string]namedMoment{}
	for i, p := range l.optimizer.params {
		m, name := l.optimizer.moments[i], l.name+"."+bareName(p)
		all[name+".exp_avg"] = namedMoment{m.mean, p.Shape}
		all[name+".exp_avg_sq"] = namedMoment{m.square, p.Shape}
		all[name+".step"] = namedMoment{m.steps, []int64{1}}
	}
	return all
}

// bareName is a parameter's name without what some files put before the names of a bare network, as a checkpoint is not
// the file that training started from.
func bareName(p *model.Param) string {
	return strings.TrimPrefix(strings.TrimPrefix(p.Name, "model."), "bert.")
}
