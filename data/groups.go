// Package data reads groups of neighbouring texts, the unit of training: JSON Lines, plain, .gz or
// .zst, or Parquet with columns of the same names, whose lines are
//
//	["chunk", …]                                a group of the paper: every chunk is query and text
//	{"src": "…", "text": ["chunk", …]}          the same, with where it comes from
//	{"query": ["…", …], "text": ["…", …]}       a group with queries of its own; query i belongs to text i
//
// Other keys of an object are ignored. The order in which groups are read is a pure function of seed,
// epoch and index, so a position in training is two numbers and can be returned to exactly.
package data

import (
	"errors"
	"fmt"
	"io"
	"sort"

	"revela/data/permute"
)

// Options says how groups are ordered and cut.
type Options struct {
	Seed               int64
	GroupSize          int  // longer lines are cut to it; 0: no limit
	Shuffle            bool // the order of groups, anew in every epoch
	ShuffleWithinGroup bool // the order of texts in a group, anew in every epoch
	KeepPairs          bool // query i and text i move together (InfoNCE); else queries and texts are permuted apart
}

// Group is one line of a groups file, cut and ordered as Options say.
type Group struct {
	Source  string   // the line's "src", or ""
	Queries []string // nil where the texts are the queries
	Texts   []string
	Number  int    // of the line's group among all files, from 0
	File    string // where the line stands
	Line    int
}

// File is one file of groups.
type File struct {
	Path   string `json:"path" yaml:"path"`
	SHA256 string `json:"sha256" yaml:"sha256"` // of the bytes on disk, hexadecimal
	Bytes  int64  `json:"bytes" yaml:"bytes"`
	Groups int    `json:"groups" yaml:"groups"`
}

// Groups is an ordered set of groups in files, safe for concurrent use. It holds 12 bytes of memory
// a group; compressed files and Parquet are decoded once into an unnamed temporary file ($TMPDIR).
type Groups struct {
	opt   Options
	files []*indexed
	first []int // number of each file's first group
	n     int
}

// Open checks every line of the files and indexes them. The error of a broken line names file, line,
// what was found and what was expected.
func Open(paths []string, opt Options) (*Groups, error) {
	if len(paths) == 0 {
		return nil, errors.New("open groups: no files given, expected at least one")
	}
	if opt.GroupSize < 0 || opt.GroupSize == 1 {
		return nil, fmt.Errorf("open groups: group size is %d, expected at least 2, or 0 for no limit", opt.GroupSize)
	}
	g := &Groups{opt: opt}
	for _, path := range paths {
		file, err := index(path)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open groups: %w", err), g.Close())
		}
		g.files = append(g.files, file)
		g.first = append(g.first, g.n)
		g.n += len(file.offsets)
	}
	return g, nil
}

// Close releases the files.
func (g *Groups) Close() error {
	var all []error
	for _, file := range g.files {
		all = append(all, file.Close())
	}
	return errors.Join(all...)
}

// Len is the number of groups in an epoch.
func (g *Groups) Len() int { return g.n }

// Files describes the inputs, for the record of a run.
func (g *Groups) Files() []File {
	var list []File
	for _, file := range g.files {
		list = append(list, file.File)
	}
	return list
}

// Group returns the group at a place of an epoch's order, 0 ≤ index < Len.
func (g *Groups) Group(epoch, index int) (Group, error) {
	if index < 0 || index >= g.n {
		return Group{}, fmt.Errorf("read group: index %d is outside 0…%d", index, g.n-1)
	}
	number := index
	if g.opt.Shuffle {
		number = permute.New(g.n, permute.Key(uint64(g.opt.Seed), uint64(epoch))).At(index)
	}
	group, err := g.read(number)
	if err != nil {
		return Group{}, fmt.Errorf("read group: %w", err)
	}
	group.cut(g.opt.GroupSize)
	if g.opt.ShuffleWithinGroup {
		group.shuffle(permute.Key(uint64(g.opt.Seed), uint64(epoch), uint64(number)), g.opt.KeepPairs)
	}
	return group, nil
}

// read parses the group with a number in file order.
func (g *Groups) read(number int) (Group, error) {
	at := sort.SearchInts(g.first, number+1) - 1
	file, i := g.files[at], number-g.first[at]
	text := make([]byte, file.lengths[i])
	if _, err := file.content.ReadAt(text, file.offsets[i]); err != nil && !errors.Is(err, io.EOF) {
		return Group{}, fmt.Errorf("%s:%d: %w", file.Path, file.lines[i], err)
	}
	group, err := parseGroup(text)
	if err != nil {
		return Group{}, fmt.Errorf("%s:%d: %w", file.Path, file.lines[i], err)
	}
	group.Number, group.File, group.Line = number, file.Path, int(file.lines[i])
	return group, nil
}

// cut keeps the first size texts, and the first size queries.
func (g *Group) cut(size int) {
	if size <= 0 {
		return
	}
	g.Texts = g.Texts[:min(size, len(g.Texts))]
	g.Queries = g.Queries[:min(size, len(g.Queries))]
}

// shuffle permutes the texts. Queries are permuted apart from them, or with keepPairs together:
// then the pairs stay in front, and what has no partner is permuted behind them.
func (g *Group) shuffle(key uint64, keepPairs bool) {
	if !keepPairs || g.Queries == nil {
		permute.Shuffle(g.Texts, permute.Key(key, 0))
		permute.Shuffle(g.Queries, permute.Key(key, 1))
		return
	}
	pairs := min(len(g.Queries), len(g.Texts))
	permute.Shuffle(g.Texts[:pairs], permute.Key(key, 0))
	permute.Shuffle(g.Queries[:pairs], permute.Key(key, 0)) // same key and length: the same permutation
	permute.Shuffle(g.Texts[pairs:], permute.Key(key, 1))
	permute.Shuffle(g.Queries[pairs:], permute.Key(key, 2))
}
