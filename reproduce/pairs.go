package reproduce

import (
	"context"
	"fmt"
	"strings"

	"revela/data"
	"revela/data/jsonl"
	"revela/data/permute"
)

// Crops of a text as Contriever draws them (Izacard et al. 2022, arXiv 2112.09118; its defaults ratio_min and ratio_max), here
// of words.
const (
	cropLeast = 0.1
	cropMost  = 0.5
)

// WritePairs reads groups of texts and writes, a line a group, {"query": […], "text": […]}: of every text two crops, drawn
// independently by seed. So the objective infonce has a positive for every text, and the group's others as negatives.
// It returns the number of groups.
func WritePairs(ctx context.Context, output string, inputs []string, seed int64) (int, error) {
	groups, err := data.Open(inputs, data.Options{})
	if err != nil {
		return 0, err
	}
	defer groups.Close()
	err = jsonl.Write(output, func(put func(any) error) error {
		for i := range groups.Len() {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			group, err := groups.Group(0, i)
			if err != nil {
				return err
			}
			if err := put(pairsOf(group, uint64(seed))); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("write pairs: %w", err)
	}
	return groups.Len(), nil
}

// pairs is a line of the output.
type pairs struct {
	Source string   `json:"src,omitempty"`
	Query  []string `json:"query"`
	Text   []string `json:"text"`
}

func pairsOf(g data.Group, seed uint64) pairs {
	p := pairs{Source: g.Source}
	for i, text := range g.Texts {
		words := strings.Fields(text)
		p.Query = append(p.Query, crop(words, permute.Key(seed, uint64(g.Number), uint64(i), 0)))
		p.Text = append(p.Text, crop(words, permute.Key(seed, uint64(g.Number), uint64(i), 1)))
	}
	return p
}

// crop is a run of words: between a tenth and a half of them, one at least.
func crop(words []string, key uint64) string {
	least := max(1, int(cropLeast*float64(len(words))))
	most := max(least, int(cropMost*float64(len(words))))
	n := min(least+int(permute.Key(key, 0)%uint64(most-least+1)), len(words))
	from := int(permute.Key(key, 1) % uint64(len(words)-n+1))
	return strings.Join(words[from:from+n], " ")
}
