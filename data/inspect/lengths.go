package inspect

import "slices"

// Lengths describes lengths, or other small numbers.
type Lengths struct {
	Min       int      `json:"min"`
	P5        int      `json:"p5"` // 5 of 100 are no longer
	Median    int      `json:"median"`
	P95       int      `json:"p95"`
	Max       int      `json:"max"`
	Mean      float64  `json:"mean"`
	Histogram []Bucket `json:"histogram"`
}

// Bucket counts the lengths from From to To.
type Bucket struct {
	From  int `json:"from"`
	To    int `json:"to"`
	Count int `json:"count"`
}

// counts is how often each length occurred.
type counts struct {
	of    map[int]int
	total int
	sum   int64
}

func (c *counts) add(length int) {
	if c.of == nil {
		c.of = map[int]int{}
	}
	c.of[length]++
	c.total++
	c.sum += int64(length)
}

// addAll adds lengths and returns how many exceed a limit; 0 is none.
func (c *counts) addAll(lengths []int, limit int) (longer int) {
	for _, length := range lengths {
		if c.add(length); limit > 0 && length > limit {
			longer++
		}
	}
	return longer
}

// summary describes the lengths; its buckets end at powers of two.
func (c *counts) summary() Lengths {
	if c.total == 0 {
		return Lengths{}
	}
	lengths := make([]int, 0, len(c.of))
	for length := range c.of {
		lengths = append(lengths, length)
	}
	slices.Sort(lengths)
	l := Lengths{Min: lengths[0], Max: lengths[len(lengths)-1], Mean: float64(c.sum) / float64(c.total)}
	quantiles := []struct {
		share float64
		value *int
	}{{0.05, &l.P5}, {0.5, &l.Median}, {0.95, &l.P95}}
	below := 0
	for _, length := range lengths {
		below += c.of[length]
		for len(quantiles) > 0 && float64(below) >= quantiles[0].share*float64(c.total) {
			*quantiles[0].value, quantiles = length, quantiles[1:]
		}
		l.Histogram = addToBucket(l.Histogram, length, c.of[length])
	}
	return l
}

func addToBucket(buckets []Bucket, length, count int) []Bucket {
	last := len(buckets) - 1
	if last < 0 || length > buckets[last].To {
		from, to := 0, 1
		for to < length {
			from, to = to+1, 2*to
		}
		buckets, last = append(buckets, Bucket{From: from, To: to}), last+1
	}
	buckets[last].Count += count
	return buckets
}
