package train

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	"revela/internal/atomicfile"
)

// Metrics is a line of metrics.jsonl: what one optimiser step did. Means are over the step's groups; no number is rounded.
type Metrics struct {
	Step            int     `json:"step"`   // from 1
	Epoch           float64 `json:"epoch"`  // passes over the groups, this step included
	Groups          int     `json:"groups"` // in this step
	Loss            float64 `json:"loss"`
	LearningRate    Rates   `json:"learning_rate"`
	GradNorm        float64 `json:"grad_norm"` // over both models, before clipping
	Tokens          int     `json:"tokens"`    // read by the language model; by the retriever where there is none
	TokensPerSecond float64 `json:"tokens_per_second"`
	Seconds         float64 `json:"seconds"`
	ResidentBytes   int64   `json:"resident_bytes"`
	DeviceBytes     int64   `json:"device_bytes"`   // of tensors on the device, the most in this step; 0 on a CPU
	WeightEntropy   float64 `json:"weight_entropy"` // of a query's weights over the texts, in nats
}

// Rates are the learning rates of a step; 0 for a model that does not learn in it.
type Rates struct {
	Retriever float64 `json:"retriever"`
	LM        float64 `json:"lm"`
}

// lineLog is a JSON Lines file that grows by an object a step.
type lineLog struct{ file *os.File }

// openLog opens a log for appending and drops what it says of steps after last, as a resumed run will do them again; a
// line that a killed run left unfinished goes as well.
func openLog(path string, last int) (*lineLog, error) {
	content, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("open log: %w", err)
	}
	if kept := linesUntil(content, last); len(kept) < len(content) {
		if err := atomicfile.WriteBytes(path, kept); err != nil {
			return nil, err
		}
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return &lineLog{file}, nil
}

// linesUntil returns the leading lines whose step is at most last.
func linesUntil(content []byte, last int) []byte {
	end := 0
	for end < len(content) {
		length := bytes.IndexByte(content[end:], '\n') + 1
		var line struct {
			Step int `json:"step"`
		}
		if length == 0 || json.Unmarshal(content[end:end+length], &line) != nil || line.Step > last {
			break
		}
		end += length
	}
	return content[:end]
}

// append writes an object as one line, at once.
func (l *lineLog) append(object any) error {
	line, err := json.Marshal(object)
	if err != nil {
		return fmt.Errorf("write log: %w", err)
	}
	if _, err := l.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("write log: %w", err)
	}
	return nil
}

// sync flushes the log to the disk, before a checkpoint that counts on it.
func (l *lineLog) sync() error {
	if err := l.file.Sync(); err != nil {
		return fmt.Errorf("write log: %w", err)
	}
	return nil
}

// Close closes the file.
func (l *lineLog) Close() error { return l.file.Close() }
