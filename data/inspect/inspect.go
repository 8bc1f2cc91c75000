// Package inspect looks through files of training groups: how many there are, how long their texts are, where they come from,
// what is there twice, and what of it will hurt training.
package inspect

import (
	"context"
	"hash/maphash"
	"runtime"
	"strings"
	"sync"

	"revela/data"
)

// Options says what texts are measured by.
type Options struct {
	// Count returns the tokens of a text, special ones included; nil counts words. It is called by many goroutines.
	Count func(text string) int
	// MaxText and MaxQuery are the tokens that the language model reads (data.max_length).
	MaxText, MaxQuery int
	GroupSize         int // that training cuts groups to (data.group_size)
}

// Report is what was found.
type Report struct {
	Files          []string    `json:"files"`
	Groups         int         `json:"groups"`
	Texts          int         `json:"texts"`
	Queries        int         `json:"queries"`
	Broken         int         `json:"broken"` // lines that training would refuse
	FirstBroken    string      `json:"first_broken,omitempty"`
	Sizes          Lengths     `json:"group_sizes"` // texts of a group
	Smaller        int         `json:"smaller"`     // groups of fewer texts than the group size
	Unit           string      `json:"unit"`        // of lengths: "tokens" | "words"
	TextLengths    Lengths     `json:"text_lengths"`
	QueryLengths   *Lengths    `json:"query_lengths,omitempty"`
	CutTexts       int         `json:"cut_texts"`       // longer than MaxText
	CutQueries     int         `json:"cut_queries"`     // longer than MaxQuery
	Repeated       int         `json:"repeated"`        // texts that stood in an earlier place
	TwiceInGroup   int         `json:"twice_in_group"`  // groups that hold a text twice
	QueryInText    int         `json:"query_in_text"`   // queries that their text holds word for word
	Unpaired       int         `json:"unpaired"`        // groups whose numbers of queries and texts differ
	Sources        int         `json:"sources"`         // distinct
	WithoutSource  int         `json:"without_source"`  // groups
	LargestSources []SourceRow `json:"largest_sources"` // by groups
	Warnings       []string    `json:"warnings"`
}

// SourceRow is a source with its groups.
type SourceRow struct {
	Source string `json:"source"`
	Groups int    `json:"groups"`
}

// blockGroups is how many groups are measured at once.
const blockGroups = 512

// Files looks through files of groups, which it streams. It keeps about 16 bytes for each text, to find those that are repeated,
// and the names of sources. report, which may be nil, is told the groups so far.
func Files(ctx context.Context, paths []string, opt Options, report func(groups int)) (*Report, error) {
	s := &survey{opt: opt, seed: maphash.MakeSeed(), seen: map[uint64]struct{}{}, sources: map[string]int{}}
	s.r.Files, s.r.Unit = paths, "tokens"
	if opt.Count == nil {
		s.opt.Count, s.r.Unit = func(text string) int { return len(strings.Fields(text)) }, "words"
	}
	for _, path := range paths {
		err := data.Each(path, func(group data.Group, broken error) error {
			if broken != nil {
				s.broken(broken)
				return nil
			}
			if s.block = append(s.block, group); len(s.block) == blockGroups {
				s.measureBlock()
				if report != nil {
					report(s.r.Groups)
				}
			}
			return ctx.Err()
		})
		if err != nil {
			return nil, err
		}
	}
	s.measureBlock()
	s.finish()
	return &s.r, nil
}

// survey collects a report.
type survey struct {
	opt            Options
	r              Report
	seed           maphash.Seed
	block          []data.Group
	seen           map[uint64]struct{} // hashes of texts
	sources        map[string]int
	sizes          counts
	texts, queries counts
}

// measured is a group in numbers.
type measured struct {
	texts, queries []int // lengths
	hashes         []uint64
	queryInText    int
}

func (s *survey) broken(err error) {
	if s.r.Broken++; s.r.Broken == 1 {
		s.r.FirstBroken = err.Error()
	}
}

// measureBlock measures the groups at hand on all cores and adds them up in their order.
func (s *survey) measureBlock() {
	all := make([]measured, len(s.block))
	var workers sync.WaitGroup
	threads := runtime.GOMAXPROCS(0)
	for worker := range threads {
		workers.Go(func() {
			for i := worker; i < len(all); i += threads {
				all[i] = s.measure(s.block[i])
			}
		})
	}
	workers.Wait()
	for i, m := range all {
		s.add(s.block[i], m)
	}
	clear(s.block)
	s.block = s.block[:0]
}

func (s *survey) measure(group data.Group) (m measured) {
	for _, text := range group.Texts {
		m.texts = append(m.texts, s.opt.Count(text))
		m.hashes = append(m.hashes, maphash.String(s.seed, text))
	}
	for i, query := range group.Queries {
		m.queries = append(m.queries, s.opt.Count(query))
		if i < len(group.Texts) && strings.Contains(group.Texts[i], query) {
			m.queryInText++
		}
	}
	return m
}

func (s *survey) add(group data.Group, m measured) {
	r := &s.r
	r.Groups++
	r.Texts += len(m.texts)
	r.Queries += len(m.queries)
	r.QueryInText += m.queryInText
	s.sizes.add(len(m.texts))
	if len(m.texts) < s.opt.GroupSize {
		r.Smaller++
	}
	if len(m.queries) > 0 && len(m.queries) != len(m.texts) {
		r.Unpaired++
	}
	r.CutTexts += s.texts.addAll(m.texts, s.opt.MaxText)
	r.CutQueries += s.queries.addAll(m.queries, s.opt.MaxQuery)
	s.addHashes(m.hashes)
	if group.Source == "" {
		r.WithoutSource++
	} else {
		s.sources[group.Source]++
	}
}

// addHashes counts texts that are not new.
func (s *survey) addHashes(hashes []uint64) {
	own, twice := make(map[uint64]struct{}, len(hashes)), false
	for _, hash := range hashes {
		if _, found := own[hash]; found {
			twice = true
		}
		own[hash] = struct{}{}
		if _, found := s.seen[hash]; found {
			s.r.Repeated++
		}
		s.seen[hash] = struct{}{}
	}
	if twice {
		s.r.TwiceInGroup++
	}
}
