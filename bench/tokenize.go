package bench

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"revela/model/tokenizer"
)

// TokenizeResult is the JSON of a benchmark of tokenising.
type TokenizeResult struct {
	Lines       int       `json:"lines"`
	Bytes       int       `json:"bytes"`
	Tokens      int       `json:"tokens"`
	Seconds     []float64 `json:"seconds"`     // of each pass over all lines; the first one fills the tokenizer's caches
	LinesPerSec float64   `json:"lines_per_s"` // of the first pass, as a corpus is read
	MBPerSec    float64   `json:"mb_per_s"`
	WarmLines   float64   `json:"warm_lines_per_s"` // of the median pass
}

// Tokenize times the tokenizer of a model's folder on the lines of a text file, on one core, garbage collection included.
func Tokenize(dir, input string, passes int) (r TokenizeResult, err error) {
	tok, err := tokenizer.Load(dir)
	if err != nil {
		return r, err
	}
	lines, err := readLines(input)
	if err != nil {
		return r, err
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	r.Lines = len(lines)
	for range passes {
		r.Tokens, r.Bytes = 0, 0
		start := time.Now()
		for _, line := range lines {
			r.Tokens += len(tok.Encode(line))
			r.Bytes += len(line)
		}
		r.Seconds = append(r.Seconds, time.Since(start).Seconds())
	}
	r.LinesPerSec = float64(r.Lines) / r.Seconds[0]
	r.MBPerSec = float64(r.Bytes) / 1e6 / r.Seconds[0]
	r.WarmLines = float64(r.Lines) / median(r.Seconds)
	return r, nil
}

// readLines reads the lines of a text file that are not empty.
func readLines(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read lines: %w", err)
	}
	defer f.Close()
	var lines []string
	for r := bufio.NewReader(f); ; {
		line, err := r.ReadString('\n')
		if n := len(line); n > 0 && line[n-1] == '\n' {
			line = line[:n-1]
		}
		if line != "" {
			lines = append(lines, line)
		}
		switch {
		case err == io.EOF && len(lines) == 0:
			return nil, fmt.Errorf("%s: no lines", path)
		case err == io.EOF:
			return lines, nil
		case err != nil:
			return nil, fmt.Errorf("read lines: %w", err)
		}
	}
}
