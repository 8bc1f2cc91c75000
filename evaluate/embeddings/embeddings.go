// Package embeddings keeps on the disk what encoders made of texts, so that a second evaluation only searches and one that
// was killed goes on with the next block of texts.
//
// A [Store] is a folder. Below it lies a folder for each identity (a model with everything that decides its vectors),
// which holds about.json, the identity in clear, and a float32 .npy file for each block of texts, named by the hash of
// their bytes. A file is written beside its place, flushed and renamed: it exists complete or not at all, and several
// programs can share a store.
package embeddings

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"revela/internal/atomicfile"
	"revela/internal/npy"
)

// Store is a folder of embeddings. It implements evaluate.Cache.
type Store struct {
	dir  string
	note func(string)
	full bool // keeping has failed once
}

// Dir is the usual place of the store: revela/embeddings below the user's cache folder ($XDG_CACHE_HOME, ~/.cache).
func Dir() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache of embeddings: %w", err)
	}
	return filepath.Join(cache, "revela", "embeddings"), nil
}

// Open returns the store in dir, which need not exist yet. note hears that nothing more can be kept, which is no error.
func Open(dir string, note func(string)) *Store { return &Store{dir: dir, note: note} }

// Embeddings implements evaluate.Cache. Rows that were kept are mapped, not read: memory is needed for what is looked at.
func (s *Store) Embeddings(identity string, texts []string, encode func() ([]float32, int, error)) (rows []float32, dim int, done func(), err error) {
	path := s.path(identity, texts)
	if kept, err := npy.Map(path); err == nil {
		if kept.Rows == len(texts) {
			return kept.Values, kept.Dim, func() { _ = kept.Close() }, nil
		}
		_ = kept.Close()
	}
	rows, dim, err = encode()
	if err != nil {
		return nil, 0, nil, err
	}
	s.keep(path, identity, rows, dim)
	return rows, dim, func() {}, nil
}

// keep writes rows. That a disk is full is no reason to lose hours of encoding: it is said once.
func (s *Store) keep(path, identity string, rows []float32, dim int) {
	if s.full || dim <= 0 {
		return
	}
	if err := s.write(path, identity, rows, dim); err != nil {
		s.full = true
		if s.note != nil {
			s.note(fmt.Sprintf("embeddings are not kept from here on: %v", err))
		}
	}
}

func (s *Store) write(path, identity string, rows []float32, dim int) error {
	about := filepath.Join(filepath.Dir(path), aboutFile)
	if _, err := os.Stat(about); errors.Is(err, fs.ErrNotExist) {
		if err := atomicfile.WriteBytes(about, []byte(identity+"\n")); err != nil {
			return err
		}
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		if err := npy.WriteHeader(w, len(rows)/dim, dim); err != nil {
			return err
		}
		return npy.WriteRows(w, rows)
	})
}

const aboutFile = "about.json"

func (s *Store) path(identity string, texts []string) string {
	of := sha256.Sum256([]byte(identity))
	return filepath.Join(s.dir, hex.EncodeToString(of[:8]), hash(texts)+".npy")
}

// hash tells blocks of texts apart, ["ab", "c"] and ["a", "bc"] too.
func hash(texts []string) string {
	h := sha256.New()
	var length [8]byte
	for _, text := range texts {
		binary.LittleEndian.PutUint64(length[:], uint64(len(text)))
		h.Write(length[:])
		io.WriteString(h, text)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
