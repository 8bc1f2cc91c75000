package evaluate

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// averaging says how a measure is combined over queries.
type averaging int

const (
	arithmetic averaging = iota
	geometric            // values are logarithms; shown over all queries only
	sum                  // a count
	queryCount           // as sum, shown over all queries only
	tagOnly              // the run's tag; no number
)

// minGeometric is the least value that enters a geometric mean (trec_eval's MIN_GEO_MEAN).
const minGeometric = 0.00001

// Measure is a measure of one ranking and the way to average it over queries.
type Measure struct {
	Name      string // as asked for, e.g. ndcg@10
	label     string // as trec_eval prints it, e.g. ndcg_cut_10
	averaging averaging
	value     func(r *ranking) float64
}

func (m Measure) ofOneQuery() bool { return m.averaging == arithmetic || m.averaging == sum }

// family is a measure that takes a cut-off: family.K and family_K in trec_eval's manner, family@K in mteb's.
type family struct {
	name, label string
	defaults    []int // the cut-offs that the bare name stands for; none: the bare name is a measure of its own
	value       func(r *ranking, k int) float64
}

var trecCutoffs = []int{5, 10, 15, 20, 30, 100, 200, 500, 1000}

var trecFamilies = []family{
	{"P", "P", trecCutoffs, (*ranking).precision},
	{"recall", "recall", trecCutoffs, (*ranking).recall},
	{"success", "success", []int{1, 5, 10}, (*ranking).success},
	{"map_cut", "map_cut", trecCutoffs, (*ranking).averagePrecision},
	{"ndcg_cut", "ndcg_cut", trecCutoffs, (*ranking).ndcg},
}

var mtebFamilies = []family{
	{"ndcg", "ndcg_cut", nil, (*ranking).ndcg},
	{"map", "map_cut", nil, (*ranking).averagePrecision},
	{"recall", "recall", nil, (*ranking).recall},
	{"precision", "P", nil, (*ranking).precision},
	{"mrr", "recip_rank_cut", nil, (*ranking).reciprocalRank},
	{"hit_rate", "success", nil, (*ranking).success},
}

// singles are the measures without a cut-off, in trec_eval's order. num_ret and its like are counts.
var singles = []Measure{
	{"runid", "runid", tagOnly, nil},
	{"num_q", "num_q", queryCount, func(*ranking) float64 { return 1 }},
	{"num_ret", "num_ret", sum, func(r *ranking) float64 { return float64(len(r.levels)) }},
	{"num_rel", "num_rel", sum, func(r *ranking) float64 { return float64(r.relevant) }},
	{"num_rel_ret", "num_rel_ret", sum, func(r *ranking) float64 { return float64(r.relevantRetrieved) }},
	{"map", "map", arithmetic, func(r *ranking) float64 { return r.averagePrecision(noCutoff) }},
	{"gm_map", "gm_map", geometric, func(r *ranking) float64 { return math.Log(max(r.averagePrecision(noCutoff), minGeometric)) }},
	{"Rprec", "Rprec", arithmetic, (*ranking).rPrecision},
	{"bpref", "bpref", arithmetic, (*ranking).bpref},
	{"recip_rank", "recip_rank", arithmetic, func(r *ranking) float64 { return r.reciprocalRank(noCutoff) }},
	{"mrr", "recip_rank", arithmetic, func(r *ranking) float64 { return r.reciprocalRank(noCutoff) }},
	{"ndcg", "ndcg", arithmetic, func(r *ranking) float64 { return r.ndcg(noCutoff) }},
}

// official is trec_eval's default set.
var official = []string{"runid", "num_q", "num_ret", "num_rel", "num_rel_ret", "map", "gm_map", "Rprec", "bpref",
	"recip_rank", "iprec_at_recall", "P"}

const knownMeasures = "ndcg@K, map@K, recall@K, precision@K, mrr@K, hit_rate@K, map, mrr, ndcg, recip_rank, Rprec, bpref, gm_map, " +
	"iprec_at_recall, P.K, recall.K, success.K, map_cut.K, ndcg_cut.K, num_q, num_ret, num_rel, num_rel_ret, runid, official"

// ParseMeasures reads names in mteb's manner (ndcg@10) or trec_eval's (ndcg_cut.10 or ndcg_cut_10; the bare ndcg_cut
// stands for trec_eval's cut-offs, official for its default set). Repeated names count once.
func ParseMeasures(names []string) ([]Measure, error) {
	var measures []Measure
	for _, name := range names {
		parsed, err := parseMeasure(strings.TrimSpace(name))
		if err != nil {
			return nil, err
		}
		for _, m := range parsed {
			if !slices.ContainsFunc(measures, func(other Measure) bool { return other.Name == m.Name }) {
				measures = append(measures, m)
			}
		}
	}
	if len(measures) == 0 {
		return nil, fmt.Errorf("no metric named, expected some of: %s", knownMeasures)
	}
	return measures, nil
}

func parseMeasure(name string) ([]Measure, error) {
	if name == "official" {
		return ParseMeasures(official)
	}
	for _, m := range slices.Concat(singles, interpolated()) {
		if m.Name == name {
			return []Measure{m}, nil
		}
	}
	if base, k, ok := splitCutoff(name, "@"); ok {
		if i := slices.IndexFunc(mtebFamilies, func(f family) bool { return f.name == base }); i >= 0 {
			return []Measure{mtebFamilies[i].at(name, k)}, nil
		}
	}
	for _, f := range trecFamilies {
		if name == f.name {
			return f.expand(), nil
		}
		for _, separator := range []string{".", "_"} {
			if base, k, ok := splitCutoff(name, separator); ok && base == f.name {
				return []Measure{f.at(name, k)}, nil
			}
		}
	}
	if name == "iprec_at_recall" {
		return interpolated(), nil
	}
	return nil, fmt.Errorf("unknown metric %q, expected one of: %s", name, knownMeasures)
}

// splitCutoff splits name at the last separator; ok says that a positive whole number without sign or leading zero follows.
func splitCutoff(name, separator string) (base string, k int, ok bool) {
	i := strings.LastIndex(name, separator)
	if i < 0 {
		return "", 0, false
	}
	digits := name[i+len(separator):]
	k, err := strconv.Atoi(digits)
	return name[:i], k, err == nil && k > 0 && strconv.Itoa(k) == digits
}

func (f family) at(name string, k int) Measure {
	value := func(r *ranking) float64 { return f.value(r, k) }
	return Measure{Name: name, label: fmt.Sprintf("%s_%d", f.label, k), value: value}
}

func (f family) expand() []Measure {
	var measures []Measure
	for _, k := range f.defaults {
		measures = append(measures, f.at(fmt.Sprintf("%s_%d", f.name, k), k))
	}
	return measures
}

func interpolated() []Measure {
	var measures []Measure
	for tenth := range 11 {
		share := float64(tenth) / 10
		name := fmt.Sprintf("iprec_at_recall_%.2f", share)
		value := func(r *ranking) float64 { return r.interpolatedPrecision(share) }
		measures = append(measures, Measure{Name: name, label: name, value: value})
	}
	return measures
}
