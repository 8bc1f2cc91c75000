package evaluate

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"revela/internal/atomicfile"
)

// Hit is a retrieved document. Scores compare as float32, as they do in pytrec_eval.
type Hit struct {
	Document string
	Score    float32
}

// Run is the result of searching: hits by query id.
type Run struct {
	Tag  string // names the system; TREC's last column
	Hits map[string][]Hit
}

// SortHits puts hits into trec_eval's order: by score descending, ties by document id descending.
func SortHits(hits []Hit) {
	slices.SortFunc(hits, func(a, b Hit) int {
		switch {
		case a.Score > b.Score:
			return -1
		case a.Score < b.Score:
			return 1
		}
		return strings.Compare(b.Document, a.Document)
	})
}

// ReadRun reads a run in TREC's layout: query, Q0, document, rank, score, tag, separated by white space.
// As in trec_eval the rank is ignored, whatever follows the tag too, lines that begin with # are comments,
// and the last line's tag is kept. The hits of each query come back sorted by [SortHits].
func ReadRun(path string) (*Run, error) {
	run := &Run{Hits: map[string][]Hit{}}
	seen := map[[2]string]bool{}
	err := scanLines(path, func(_ int, text string) error {
		fields := strings.Fields(text)
		if strings.HasPrefix(fields[0], "#") {
			return nil
		}
		if len(fields) < 6 {
			return fmt.Errorf("%d columns, expected 6: query, Q0, document, rank, score and tag", len(fields))
		}
		score, err := parseScore(fields[4])
		if err != nil {
			return err
		}
		query, document := fields[0], fields[2]
		if seen[[2]string{query, document}] {
			return fmt.Errorf("query %q returns document %q twice", query, document)
		}
		seen[[2]string{query, document}] = true
		run.Hits[query] = append(run.Hits[query], Hit{Document: document, Score: score})
		run.Tag = fields[5]
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(run.Hits) == 0 {
		return nil, fmt.Errorf("%s: no results", path)
	}
	for _, hits := range run.Hits {
		SortHits(hits)
	}
	return run, nil
}

// parseScore rounds twice, text → float64 → float32, as trec_eval 9.0.8 does (atof to float).
func parseScore(text string) (float32, error) {
	score, err := strconv.ParseFloat(text, 64)
	rounded := float32(score)
	if err != nil || math.IsNaN(score) || math.IsInf(float64(rounded), 0) {
		return 0, fmt.Errorf("score %q, expected a finite number", text)
	}
	return rounded, nil
}

// WriteRun writes a run in TREC's layout, queries in order of their ids, ranks from 1. A score is written with
// as many digits as it takes to read the same float32 back.
func WriteRun(path string, run *Run) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		buffered := bufio.NewWriter(w)
		tag := strings.Join(strings.Fields(run.Tag), "_")
		for _, query := range sortedKeys(run.Hits) {
			for i, hit := range run.Hits[query] {
				score := strconv.FormatFloat(float64(hit.Score), 'g', -1, 32)
				fmt.Fprintf(buffered, "%s Q0 %s %d %s %s\n", query, hit.Document, i+1, score, tag)
			}
		}
		return buffered.Flush()
	})
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
