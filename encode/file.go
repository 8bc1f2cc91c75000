package encode

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"revela/evaluate"
	"revela/internal/atomicfile"
	"revela/internal/npy"
)

// fileBlock is the number of texts that are held in memory at a time, with their vectors.
const fileBlock = 8192

// Progress hears how many of a stage's texts are done.
type Progress func(stage string, done, total int)

// Summary is what encoding a file gave.
type Summary struct {
	Vectors string `json:"vectors"` // the .npy file
	IDs     string `json:"ids"`     // the file of their ids
	Texts   int    `json:"texts"`
	Dim     int    `json:"dim"`
}

// IDsFile is where the ids of a file of vectors stand, one a line: F.ids.txt beside F.npy.
func IDsFile(vectors string) string { return strings.TrimSuffix(vectors, ".npy") + ".ids.txt" }

// File encodes the texts of a JSON Lines file ({"_id", "text"[, "title"]} a line; .gz, .zst) into a .npy file of float32
// [texts, dim] in their order, and writes their ids beside it. The input is read twice, first to find its mistakes; memory
// does not grow with it. Either output appears complete or not at all.
func File(ctx context.Context, e *Encoder, input, output string, kind evaluate.Kind, progress Progress) (*Summary, error) {
	ids, err := readIDs(input)
	if err != nil {
		return nil, err
	}
	s := &Summary{Vectors: output, IDs: IDsFile(output), Texts: len(ids), Dim: int(e.Retriever.Width())}
	err = atomicfile.Write(output, func(w io.Writer) error {
		if err := npy.WriteHeader(w, s.Texts, s.Dim); err != nil {
			return err
		}
		return eachEncoded(ctx, evaluate.Dense{Encoder: e}, input, ids, kind, progress, func(_ []string, vectors []float32) error {
			return npy.WriteRows(w, vectors)
		})
	})
	if err != nil {
		return nil, err
	}
	return s, writeIDs(s.IDs, ids)
}

// readIDs checks a file of texts from its first line to its last.
func readIDs(path string) ([]string, error) {
	var ids []string
	lines := map[string]int{}
	err := evaluate.EachDocument(path, func(line int, d evaluate.Document) error {
		if first, again := lines[d.ID]; again {
			return fmt.Errorf("_id %q is already used on line %d", d.ID, first)
		}
		lines[d.ID] = line
		ids = append(ids, d.ID)
		return nil
	})
	if err == nil && len(ids) == 0 {
		err = fmt.Errorf("%s: no texts", path)
	}
	return ids, err
}

func writeIDs(path string, ids []string) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		buffered := bufio.NewWriter(w)
		for _, id := range ids {
			buffered.WriteString(id)
			buffered.WriteByte('\n')
		}
		return buffered.Flush()
	})
}

// eachEncoded reads texts whose ids are known and hands out their vectors, encoded or kept, in blocks.
func eachEncoded(ctx context.Context, dense evaluate.Dense, path string, ids []string, kind evaluate.Kind, progress Progress,
	visit func(ids []string, vectors []float32) error) error {
	done := 0
	var texts []string
	flush := func() error {
		vectors, _, release, err := dense.Embed(ctx, texts, kind, func(n, _ int) { progress("texts", done+n, len(ids)) })
		if err != nil {
			return err
		}
		defer release()
		if err := visit(ids[done:done+len(texts)], vectors); err != nil {
			return err
		}
		done += len(texts)
		texts = texts[:0]
		return nil
	}
	var failed error // kept apart: it has nothing to do with the line that was read last
	err := evaluate.EachDocument(path, func(_ int, d evaluate.Document) error {
		if at := done + len(texts); at >= len(ids) || ids[at] != d.ID {
			return errChanged
		}
		if texts = append(texts, d.FullText()); len(texts) == fileBlock {
			failed = flush()
		}
		return failed
	})
	switch {
	case failed != nil:
		return failed
	case err != nil:
		return err
	case done+len(texts) != len(ids):
		return fmt.Errorf("%s: %w", path, errChanged)
	case len(texts) == 0:
		return nil
	}
	return flush()
}
