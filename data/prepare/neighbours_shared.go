package prepare

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"revela/internal/atomicfile"
)

// exchangeDir is the folder beside the output through which ranks exchange what they find.
func (o Options) exchangeDir() string {
	return filepath.Join(filepath.Dir(o.shared), "."+filepath.Base(o.shared)+".ranks")
}

// join makes a process one of several ranks. All but the first one write what they come to below the exchange folder, where
// it is removed.
func (o Options) join() (Options, error) {
	if o.Ranks <= 1 {
		return o, nil
	}
	o.shared = o.Output
	if o.Rank == 0 {
		return o, nil
	}
	o.Output = filepath.Join(o.exchangeDir(), fmt.Sprintf("rank-%d", o.Rank), filepath.Base(o.Output))
	if err := os.Remove(o.done(o.Rank)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return o, fmt.Errorf("join ranks: %w", err)
	}
	return o, nil
}

// done is the file that says that a rank needs nothing any more.
func (o Options) done(rank int) string {
	return filepath.Join(o.exchangeDir(), fmt.Sprintf("done.%d", rank))
}

// keptUnits is from how many units on what is found is kept for a run that continues: fewer are searched again in seconds.
var keptUnits = 50_000

// sharedRanker divides searches among ranks: processes that hold the same units, on one machine or on several that
// share the folder of the output. Each searches for its share of the seeds, writes what it finds as a file, and reads the
// files of the others; so all of them know the same and group alike. Files carry a hash of the units, and of what was
// asked: those that an interrupted run left are taken over, those of other data never. One process alone keeps its own that way.
type sharedRanker struct {
	ranker
	rank, ranks int
	dir         string
	added       int
	unit        string    // how texts are analysed depends on it
	hash        hash.Hash // of the units so far, then of all questions so far
}

func (s *sharedRanker) add(u unit, text string) error {
	if s.added++; s.hash == nil {
		s.hash = sha256.New()
		fmt.Fprintf(s.hash, "1 %d %s\n", s.ranks, s.unit)
	}
	fmt.Fprintf(s.hash, "%d %d %s%s", len(u.id), len(text), u.id, text)
	return s.ranker.add(u, text)
}

func (s *sharedRanker) nearest(ctx context.Context, seeds []int, k int, skip func(int) bool) ([][]int32, error) {
	if s.ranks == 1 && s.added < keptUnits {
		return s.ranker.nearest(ctx, seeds, k, skip)
	}
	var own []int
	for i, seed := range seeds {
		if fmt.Fprintf(s.hash, "%d %d\n", seed, k); i%s.ranks == s.rank {
			own = append(own, seed)
		}
	}
	if err := s.write(ctx, own, k, skip); err != nil {
		return nil, err
	}
	lists := make([][]int32, len(seeds))
	for rank := range s.ranks {
		found, err := s.wait(ctx, rank)
		if err != nil {
			return nil, err
		}
		for i := rank; i < len(seeds); i += s.ranks {
			if len(found) == 0 {
				return nil, fmt.Errorf("read %s: too few lists", s.file(rank))
			}
			lists[i], found = found[0], found[1:]
		}
	}
	return lists, nil
}

// file is where a rank's answer to the latest question stands.
func (s *sharedRanker) file(rank int) string {
	return filepath.Join(s.dir, fmt.Sprintf("%s.%d", hex.EncodeToString(s.hash.Sum(nil)[:12]), rank))
}

// write answers the rank's share of a question, unless a run before has.
func (s *sharedRanker) write(ctx context.Context, seeds []int, k int, skip func(int) bool) error {
	if _, err := os.Stat(s.file(s.rank)); err == nil {
		return nil
	}
	lists, err := s.ranker.nearest(ctx, seeds, k, skip)
	if err != nil {
		return err
	}
	var content []byte
	for _, list := range lists {
		content = binary.LittleEndian.AppendUint32(content, uint32(len(list)))
		for _, number := range list {
			content = binary.LittleEndian.AppendUint32(content, uint32(number))
		}
	}
	return atomicfile.WriteBytes(s.file(s.rank), content)
}

// wait returns a rank's answer, when it is there.
func (s *sharedRanker) wait(ctx context.Context, rank int) ([][]int32, error) {
	content, err := waitFor(ctx, s.file(rank))
	if err != nil {
		return nil, fmt.Errorf("wait for rank %d of %d: %w", rank, s.ranks, err)
	}
	return readLists(s.file(rank), content)
}

// waitFor reads a file that another process is going to write.
func waitFor(ctx context.Context, path string) ([]byte, error) {
	for pause := time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		content, err := os.ReadFile(path)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return content, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

func readLists(path string, content []byte) (lists [][]int32, err error) {
	next := func() (n uint32) {
		if len(content) < 4 {
			err = fmt.Errorf("read %s: cut off", path)
			return 0
		}
		n, content = binary.LittleEndian.Uint32(content), content[4:]
		return n
	}
	for len(content) > 0 && err == nil {
		list := make([]int32, 0, 32)
		for range next() {
			if list = append(list, int32(next())); err != nil {
				return nil, err
			}
		}
		lists = append(lists, list)
	}
	return lists, err
}

// leave ends a rank's part; the first one waits for the others, and removes what they exchanged.
func (o Options) leave(ctx context.Context) error {
	if o.Ranks <= 1 {
		return nil
	}
	if o.Rank > 0 {
		return atomicfile.WriteBytes(o.done(o.Rank), nil)
	}
	for rank := 1; rank < o.Ranks; rank++ {
		if _, err := waitFor(ctx, o.done(rank)); err != nil {
			return fmt.Errorf("wait for rank %d of %d: %w", rank, o.Ranks, err)
		}
	}
	if err := os.RemoveAll(o.exchangeDir()); err != nil {
		return fmt.Errorf("remove what ranks exchanged: %w", err)
	}
	return nil
}
