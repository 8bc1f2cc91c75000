package prepare

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
)

// side is where a unit goes.
type side int

const (
	training side = iota
	heldOut
	tuning
)

// splitter decides what is kept out. It hashes the name of what is kept out whole, so that the split is the
// same for every seed and on every machine, and hardly changes when the corpus grows.
type splitter struct {
	by              string
	holdout, tuning float64
	families        *families // of packages or folders that are near copies; nil for documents
}

// newSplitter looks at all units for families where packages or folders are kept out.
func newSplitter(ctx context.Context, opt Options, units *spool) (*splitter, error) {
	s := &splitter{by: opt.HoldoutBy, holdout: opt.Holdout, tuning: opt.Tuning}
	if s.holdout+s.tuning == 0 || s.by == ByDocument {
		return s, nil
	}
	s.families = newFamilies()
	err := units.each(ctx, func(u unit) error {
		s.families.add(s.key(u), u.text)
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.families.joinCopies()
	return s, nil
}

// key is what a unit is kept out by, before families.
func (s *splitter) key(u unit) string {
	if s.by == ByPackage {
		return namesake(u.pkg)
	}
	return u.key(s.by)
}

func (s *splitter) side(u unit) side {
	if s.holdout+s.tuning == 0 {
		return training
	}
	key := s.key(u)
	if s.families != nil {
		key = s.families.of(key)
	}
	switch place := hashPlace("holdout", key); {
	case place < s.holdout:
		return heldOut
	case place < s.holdout+s.tuning:
		return tuning
	}
	return training
}

// hashPlace maps a name evenly to [0, 1).
func hashPlace(purpose, name string) float64 {
	sum := sha256.Sum256([]byte(purpose + "\x00" + name))
	return float64(binary.BigEndian.Uint64(sum[:])>>11) / (1 << 53)
}
