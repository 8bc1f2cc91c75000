package inspect

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

const (
	largestSources = 10
	fewGroups      = 100
	shortText      = 5 // words or tokens
)

// finish sums up and warns.
func (s *survey) finish() {
	r := &s.r
	r.Sizes, r.TextLengths = s.sizes.summary(), s.texts.summary()
	if r.Queries > 0 {
		lengths := s.queries.summary()
		r.QueryLengths = &lengths
	}
	r.Sources = len(s.sources)
	r.LargestSources = []SourceRow{}
	names := slices.SortedFunc(maps.Keys(s.sources), func(a, b string) int {
		return cmp.Or(cmp.Compare(s.sources[b], s.sources[a]), cmp.Compare(a, b))
	})
	for _, name := range names[:min(largestSources, len(names))] {
		r.LargestSources = append(r.LargestSources, SourceRow{name, s.sources[name]})
	}
	r.Warnings = []string{}
	for _, warning := range s.warnings() {
		if warning != "" {
			r.Warnings = append(r.Warnings, warning)
		}
	}
}

// warnings are what will hurt training, each "" where it does not apply.
func (s *survey) warnings() []string {
	r := &s.r
	if r.Groups == 0 {
		return []string{s.warnBroken(), "no group to train on"}
	}
	return []string{
		s.warnBroken(),
		s.warnRepeated(),
		when(r.TwiceInGroup > 0, "%d of %d groups hold a text twice: it is predicted from itself; prepare with dedup: near", r.TwiceInGroup, r.Groups),
		when(mostly(r.CutTexts, r.Texts), "%s of the texts are longer than data.max_length (%d tokens) and will be cut: prepare smaller chunks or read more", share(r.CutTexts, r.Texts), s.opt.MaxText),
		when(mostly(r.CutQueries, r.Queries), "%s of the queries are longer than data.max_length (%d tokens) and will be cut", share(r.CutQueries, r.Queries), s.opt.MaxQuery),
		when(mostly(s.texts.upTo(shortText), r.Texts), "%s of the texts have at most %d %s: little to predict", share(s.texts.upTo(shortText), r.Texts), shortText, r.Unit),
		when(r.Sources == 1 && r.WithoutSource == 0 && r.Groups > 1, "all groups are of one source: the retriever learns that one alone"),
		when(r.Groups < fewGroups, "only %d groups: a retriever needs hundreds to learn from", r.Groups),
		when(mostly(r.Smaller, r.Groups), "%s of the groups have fewer texts than data.group_size (%d): fewer to tell apart", share(r.Smaller, r.Groups), s.opt.GroupSize),
		when(r.Queries > 0 && 10*r.QueryInText > r.Queries, "%s of the queries stand word for word in their texts, which gives them away", share(r.QueryInText, r.Queries)),
		when(r.Unpaired > 0, "%d groups have as many queries as texts not: infonce cannot pair them", r.Unpaired),
	}
}

func (s *survey) warnBroken() string {
	return when(s.r.Broken > 0, "%d lines cannot be trained on, the first: %s", s.r.Broken, s.r.FirstBroken)
}

func (s *survey) warnRepeated() string {
	r := &s.r
	if len(s.seen) == 1 {
		return fmt.Sprintf("all %d texts are the same", r.Texts)
	}
	return when(4*r.Repeated > r.Texts, "%s of the texts repeat another one", share(r.Repeated, r.Texts))
}

// upTo is how many lengths are at most n.
func (c *counts) upTo(n int) (count int) {
	for length, times := range c.of {
		if length <= n {
			count += times
		}
	}
	return count
}

func mostly(part, whole int) bool { return 2*part > whole }

func share(part, whole int) string { return fmt.Sprintf("%.0f %%", 100*float64(part)/float64(whole)) }

// when is the message if it holds.
func when(holds bool, format string, values ...any) string {
	if !holds {
		return ""
	}
	return fmt.Sprintf(format, values...)
}
