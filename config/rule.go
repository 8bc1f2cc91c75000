package config

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// interval is the content of a number's is tag, such as [0,1) or (0,).
type interval struct {
	low, high         float64 // ±Inf where unbounded
	lowOpen, highOpen bool
}

// parseInterval reads an is tag; an empty one is every number.
func parseInterval(tag string) (interval, error) {
	all := interval{low: math.Inf(-1), high: math.Inf(1)}
	if tag == "" {
		return all, nil
	}
	bounds := strings.Split(strings.Trim(tag, "[]()"), ",")
	if len(bounds) != 2 {
		return all, fmt.Errorf("interval %q: expected two bounds", tag)
	}
	in := all
	in.lowOpen, in.highOpen = tag[0] == '(', tag[len(tag)-1] == ')'
	for i, bound := range []*float64{&in.low, &in.high} {
		if bounds[i] == "" {
			continue
		}
		number, err := strconv.ParseFloat(bounds[i], 64)
		if err != nil {
			return all, fmt.Errorf("interval %q: %w", tag, err)
		}
		*bound = number
	}
	return in, nil
}

func (in interval) contains(x float64) bool {
	above := x > in.low || (x == in.low && !in.lowOpen)
	below := x < in.high || (x == in.high && !in.highOpen)
	return above && below
}

// String says what the interval holds, to follow "a number".
func (in interval) String() string {
	var parts []string
	if !math.IsInf(in.low, -1) {
		parts = append(parts, bound(in.lowOpen, "above", "of at least", in.low))
	}
	if !math.IsInf(in.high, 1) {
		parts = append(parts, bound(in.highOpen, "below", "of at most", in.high))
	}
	if len(parts) == 0 {
		return ""
	}
	return " " + strings.Join(parts, " and ")
}

func bound(open bool, strict, inclusive string, x float64) string {
	if open {
		return fmt.Sprintf("%s %g", strict, x)
	}
	return fmt.Sprintf("%s %g", inclusive, x)
}

var cudaDevice = regexp.MustCompile(`^cuda:\d+$`)

// stringRule checks a text against its is tag and returns what was expected, or "" where it is met.
func stringRule(tag, value string) string {
	switch {
	case tag == "" || (tag == "nonempty" && value != ""):
		return ""
	case tag == "nonempty":
		return "a text that is not empty"
	case tag == "device":
		if slices.Contains([]string{"auto", "cpu", "cuda"}, value) || cudaDevice.MatchString(value) {
			return ""
		}
		return "auto, cpu, cuda or cuda:N"
	}
	words := strings.Split(tag, "|")
	if slices.Contains(words, value) {
		return ""
	}
	return list(words, "or") + hint(value, words, "")
}

// list joins words as a sentence does: a, b or c.
func list(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	n := len(words) - 1
	return strings.Join(words[:n], ", ") + " " + last + " " + words[n]
}

// hint proposes the word that is nearest to a mistyped one, with a prefix put before it.
func hint(typed string, words []string, prefix string) string {
	if near, ok := nearest(typed, words); ok {
		return fmt.Sprintf(" (did you mean %s?)", prefix+near)
	}
	return ""
}

// nearest returns the word within a third of its letters of edits.
func nearest(typed string, words []string) (string, bool) {
	best, distance := "", math.MaxInt
	for _, word := range words {
		if d := editDistance(strings.ToLower(typed), word); d < distance {
			best, distance = word, d
		}
	}
	return best, distance <= max(1, len(best)/3)
}

// editDistance is Levenshtein's, over bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := diagonal
			if a[i-1] != b[j-1] {
				change++
			}
			diagonal = row[j]
			row[j] = min(change, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
