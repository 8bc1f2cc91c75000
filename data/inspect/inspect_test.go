package inspect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"revela/data/jsonl"
)

// inspected writes groups and looks through them.
func inspected(t *testing.T, opt Options, name string, groups ...any) *Report {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	err := jsonl.Write(path, func(put func(any) error) error {
		for _, group := range groups {
			if err := put(group); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Files(context.Background(), []string{path}, opt, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

type pairs struct {
	Source string   `json:"src,omitempty"`
	Query  []string `json:"query,omitempty"`
	Text   []string `json:"text"`
}

func words(n int, name string) string { return strings.TrimSpace(strings.Repeat(name+" ", n)) }

func TestCounts(t *testing.T) {
	r := inspected(t, Options{MaxText: 6, MaxQuery: 2, GroupSize: 3}, "groups.jsonl.zst",
		pairs{"a", []string{"what is one", "x"}, []string{words(4, "one"), words(7, "two")}},
		pairs{"b", nil, []string{words(4, "one"), words(9, "three"), words(9, "three")}},
		[]string{words(5, "four"), words(6, "five")},
		[]string{"alone"},
		pairs{"a", []string{"six"}, []string{words(40, "six"), "seven"}},
	)
	if !strings.HasSuffix(r.FirstBroken, "groups.jsonl.zst:4: group of 1 text, expected at least 2") {
		t.Errorf("broken: %s", r.FirstBroken)
	}
	r.FirstBroken, r.Files, r.Warnings = "", nil, nil
	want := &Report{
		Groups: 4, Texts: 9, Queries: 3, Broken: 1, Smaller: 3, Unit: "words",
		Sizes: Lengths{2, 2, 2, 3, 3, 2.25, []Bucket{{2, 2, 3}, {3, 4, 1}}},
		TextLengths: Lengths{1, 1, 6, 40, 40, 85.0 / 9,
			[]Bucket{{0, 1, 1}, {3, 4, 2}, {5, 8, 3}, {9, 16, 2}, {33, 64, 1}}},
		QueryLengths: &Lengths{1, 1, 1, 3, 3, 5.0 / 3, []Bucket{{0, 1, 2}, {3, 4, 1}}},
		CutTexts:     4, CutQueries: 1, Repeated: 2, TwiceInGroup: 1, QueryInText: 1, Unpaired: 1,
		Sources: 2, WithoutSource: 1, LargestSources: []SourceRow{{"a", 2}, {"b", 1}},
	}
	if !reflect.DeepEqual(r, want) {
		t.Errorf("got\n%+v %+v\nwant\n%+v %+v", r, r.QueryLengths, want, want.QueryLengths)
	}
}

// Every warning, and none where nothing is wrong.
func TestWarnings(t *testing.T) {
	many := func(make func(i int) any) (groups []any) {
		for i := range fewGroups {
			groups = append(groups, make(i))
		}
		return groups
	}
	text := func(i, j int) string { return words(10, fmt.Sprintf("w%d-%d", i, j)) }
	good := func(i int) any { return pairs{fmt.Sprint("s", i%3), nil, []string{text(i, 0), text(i, 1)}} }
	options := Options{MaxText: 20, MaxQuery: 8, GroupSize: 2}
	for name, test := range map[string]struct {
		groups []any
		want   string
	}{
		"good":     {many(good), ""},
		"few":      {many(good)[:9], "only 9 groups: a retriever needs hundreds to learn from"},
		"none":     {nil, "no group to train on"},
		"same":     {many(func(int) any { return pairs{"s" + fmt.Sprint(1), nil, []string{text(1, 1), text(1, 1)}} }), "all 200 texts are the same"},
		"repeated": {many(func(i int) any { return pairs{fmt.Sprint(i), nil, []string{text(i, 0), text(0, 1)}} }), "50 % of the texts repeat another one"},
		"twice":    {append(many(good), pairs{"x", nil, []string{"one two three four five six", "one two three four five six"}}), "1 of 101 groups hold a text twice"},
		"long": {many(func(i int) any {
			return pairs{fmt.Sprint(i), nil, []string{words(30, fmt.Sprint(i)), words(21, fmt.Sprint(i))}}
		}), "100 % of the texts are longer than data.max_length (20 tokens)"},
		"short":  {many(func(i int) any { return pairs{fmt.Sprint(i), nil, []string{fmt.Sprint(i), fmt.Sprint(-i - 1)}} }), "100 % of the texts have at most 5 words"},
		"source": {many(func(i int) any { return pairs{"all", nil, []string{text(i, 0), text(i, 1)}} }), "all groups are of one source"},
		"small":  {many(func(i int) any { return []string{text(i, 0), text(i, 1)} }), ""},
		"given": {many(func(i int) any {
			return pairs{fmt.Sprint(i), []string{text(i, 0), "?"}, []string{text(i, 0), text(i, 1)}}
		}), "50 % of the queries stand word for word in their texts"},
		"queries": {many(func(i int) any {
			return pairs{fmt.Sprint(i), []string{words(9, "q"), words(9, "r")}, []string{text(i, 0), text(i, 1)}}
		}), "100 % of the queries are longer"},
		"unpaired": {append(many(good), pairs{"x", []string{"q"}, []string{text(-1, 0), text(-1, 1)}}), "1 groups have as many queries as texts not"},
		"broken":   {append(many(good), "text"), "1 lines cannot be trained on, the first:"},
	} {
		warnings := inspected(t, options, "groups.jsonl", test.groups...).Warnings
		found := strings.Join(warnings, "\n")
		if test.want == "" && found != "" || !strings.Contains(found, test.want) {
			t.Errorf("%s: warned %q, want %q", name, warnings, test.want)
		}
	}
	options.GroupSize = 3
	if warnings := inspected(t, options, "groups.jsonl", many(good)...).Warnings; len(warnings) != 1 || !strings.HasPrefix(warnings[0], "100 % of the groups have fewer texts than data.group_size (3)") {
		t.Errorf("small groups: %q", warnings)
	}
}

func TestTokensAndErrors(t *testing.T) {
	r := inspected(t, Options{Count: func(text string) int { return len(text) }, MaxText: 3}, "g.jsonl.gz", []string{"abcd", "ab"})
	if r.Unit != "tokens" || r.CutTexts != 1 || r.TextLengths.Max != 4 {
		t.Errorf("got %+v", r)
	}
	if _, err := Files(context.Background(), []string{"nowhere.jsonl"}, Options{}, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	path := filepath.Join(t.TempDir(), "g.jsonl")
	if err := os.WriteFile(path, []byte(`["a", "b"]`), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Files(ctx, []string{path}, Options{}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
