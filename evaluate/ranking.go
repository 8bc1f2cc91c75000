package evaluate

import (
	"math"
	"slices"
)

// Places of a ranking that carry no judgement (trec_eval's RELVALUE_NONPOOL and RELVALUE_UNJUDGED).
const (
	notInPool = math.MinInt
	unjudged  = -1
)

// ranking is what the measures of one query need: the levels of its hits in order of rank, and counts over
// its judgements. It mirrors trec_eval's RES_RELS (form_res_rels.c).
type ranking struct {
	levels            []int // by rank; notInPool, unjudged (any negative judgement), or the judged level
	threshold         int   // the least level that counts as relevant
	relevant          int   // judged documents at or above threshold
	notRelevant       int   // judged documents from level 0 up to threshold
	relevantRetrieved int
	gains             []int // the positive levels of all judged documents, best first: the ideal ranking
}

// newRanking judges hits, which must be sorted by [SortHits]; only the first depth of them where depth > 0.
func newRanking(hits []Hit, judged map[string]int, threshold, depth int) *ranking {
	if depth > 0 && len(hits) > depth {
		hits = hits[:depth]
	}
	r := &ranking{threshold: threshold, levels: make([]int, len(hits))}
	for i, hit := range hits {
		level, ok := judged[hit.Document]
		switch {
		case !ok:
			level = notInPool
		case level < 0:
			level = unjudged
		case level >= threshold:
			r.relevantRetrieved++
		}
		r.levels[i] = level
	}
	for _, level := range judged {
		switch {
		case level >= threshold:
			r.relevant++
		case level >= 0:
			r.notRelevant++
		}
		if level > 0 {
			r.gains = append(r.gains, level)
		}
	}
	slices.SortFunc(r.gains, func(a, b int) int { return b - a })
	return r
}

// isRelevant reports whether the hit at index i (rank i+1) is relevant.
func (r *ranking) isRelevant(i int) bool { return r.levels[i] >= r.threshold }

// relevantIn counts the relevant hits among the first k.
func (r *ranking) relevantIn(k int) int {
	n := 0
	for i := range min(k, len(r.levels)) {
		if r.isRelevant(i) {
			n++
		}
	}
	return n
}

// noCutoff is a cut-off that cuts nothing.
const noCutoff = math.MaxInt

// ndcg is trec_eval's m_ndcg_cut.c: the gain is the level, the discount log2(rank + 1), the ideal comes from
// all positive judgements of the query, cut at k as well.
func (r *ranking) ndcg(k int) float64 {
	ideal := discounted(r.gains, k)
	if ideal == 0 {
		return 0
	}
	return discounted(r.levels, k) / ideal
}

func discounted(levels []int, k int) float64 {
	sum := 0.0
	for i := range min(k, len(levels)) {
		if levels[i] > 0 {
			sum += float64(levels[i]) / math.Log2(float64(i+2))
		}
	}
	return sum
}

// averagePrecision is m_map_cut.c: precision at each relevant hit of the first k, over all relevant documents.
func (r *ranking) averagePrecision(k int) float64 {
	found, sum := 0, 0.0
	for i := range min(k, len(r.levels)) {
		if r.isRelevant(i) {
			found++
			sum += float64(found) / float64(i+1)
		}
	}
	if found == 0 {
		return 0
	}
	return sum / float64(r.relevant)
}

// precision is m_P.c: it divides by k even where fewer hits were returned.
func (r *ranking) precision(k int) float64 { return float64(r.relevantIn(k)) / float64(k) }

// recall is m_recall.c.
func (r *ranking) recall(k int) float64 {
	if r.relevant == 0 {
		return 0
	}
	return float64(r.relevantIn(k)) / float64(r.relevant)
}

// success is m_success.c: 1 where a relevant hit is among the first k.
func (r *ranking) success(k int) float64 {
	if r.relevantIn(k) > 0 {
		return 1
	}
	return 0
}

// reciprocalRank is m_recip_rank.c, and mteb's MRR@k where k cuts.
func (r *ranking) reciprocalRank(k int) float64 {
	for i := range min(k, len(r.levels)) {
		if r.isRelevant(i) {
			return 1 / float64(i+1)
		}
	}
	return 0
}

// rPrecision is m_Rprec.c: precision at the number of relevant documents.
func (r *ranking) rPrecision() float64 { return r.recall(r.relevant) }

// bpref is m_bpref.c: how rarely a judged document that is not relevant ranks before a relevant one.
func (r *ranking) bpref() float64 {
	if r.relevant == 0 {
		return 0
	}
	before, sum := 0, 0.0
	for i, level := range r.levels {
		switch {
		case level < 0:
			continue
		case !r.isRelevant(i):
			before++
		case before == 0:
			sum++
		default:
			sum += 1 - float64(min(before, r.relevant))/float64(min(r.notRelevant, r.relevant))
		}
	}
	return sum / float64(r.relevant)
}

// interpolatedPrecision is m_iprec_at_recall.c of trec_eval 10 (the share rounds to the nearest number of relevant
// documents; 9.0.8 rounded almost everything up): the best precision at any rank from which on that share is found.
func (r *ranking) interpolatedPrecision(share float64) float64 {
	needed := int(math.Round(share * float64(r.relevant)))
	found, best := r.relevantRetrieved, 0.0
	for i := len(r.levels) - 1; i >= 0 && found >= needed; i-- {
		best = max(best, float64(found)/float64(i+1))
		if r.isRelevant(i) {
			found--
		}
	}
	return best
}
