package prepare

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// topic is a text about one of several subjects, in words that no other subject has.
func topic(subject string, number int) string {
	return fmt.Sprintf("%s%d is about %sone, %stwo and %sthree.", subject, number, subject, subject, subject)
}

func TestNearestChunksComeTogether(t *testing.T) {
	var docs strings.Builder
	for i := range 4 { // in turn, so that neighbours in the file are none in content
		for _, subject := range []string{"cat", "sea", "tax"} {
			docs.WriteString(record(fmt.Sprintf("%s%d", subject, i), "", topic(subject, i)))
		}
	}
	opt := sentencesOf(t, filepath.Join(tree(t, map[string]string{"docs.jsonl": docs.String()}), "*"))
	opt.GroupBy = BM25
	sum, r := runAndRead(t, opt)
	if sum.Groups != 3 || sum.Trained != 12 || sum.LeftOver != 0 {
		t.Errorf("counts are %+v", sum)
	}
	for i, line := range r.lines {
		subject := line.IDs[0][:3]
		if slices.ContainsFunc(line.IDs, func(id string) bool { return id[:3] != subject }) {
			t.Errorf("group %v is of several subjects", line.IDs)
		}
		if line.Source != "" || r.groups[i].Queries != nil {
			t.Errorf("group %v has the source %q or queries", line.IDs, line.Source)
		}
	}
}

// A seed's neighbours stand nearest first, equally near ones in the order of the input.
func TestOrderOfNeighbours(t *testing.T) {
	texts := []string{"apple pear", "apple fig", "apple plum", "apple pear plum", "stone"}
	n, err := newNeighbours(Options{Unit: Sentences, Queries: NoQueries}, 4, nil, func(int, int) {})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range texts {
		if err := n.add(unit{id: text, text: text}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.near.start(context.Background()); err != nil {
		t.Fatal(err)
	}
	lists, err := n.near.nearest(context.Background(), []int{0, 4}, 9, func(number int) bool { return number == 2 })
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(lists, [][]int32{{3, 1}, nil}) {
		t.Errorf("got %v, want pear and plum before fig, and nothing near a stone", lists)
	}
}

// Chunks without enough neighbours fill groups with each other, a seed beside those it has.
func TestFewNeighboursAreToppedUp(t *testing.T) {
	var docs strings.Builder
	for i := range 5 {
		docs.WriteString(record(fmt.Sprintf("pair%da", i), "", fmt.Sprintf("word%d left%d", i, i)))
		docs.WriteString(record(fmt.Sprintf("pair%db", i), "", fmt.Sprintf("word%d right%d", i, i)))
	}
	docs.WriteString(record("lone", "", "nothing like it"))
	opt := sentencesOf(t, filepath.Join(tree(t, map[string]string{"docs.jsonl": docs.String()}), "*"))
	opt.GroupBy = BM25
	sum, r := runAndRead(t, opt)
	if sum.Trained != 11 || len(r.lines) != 3 || len(r.lines[0].IDs) != 4 || len(r.lines[2].IDs) != 3 {
		t.Fatalf("counts are %+v, groups %+v", sum, r.lines)
	}
	var all []string
	for _, line := range r.lines {
		all = append(all, line.IDs...)
	}
	for i, id := range all {
		if strings.HasSuffix(id, "a#0") || strings.HasSuffix(id, "b#0") {
			partner := id[:5] + string('a'+'b'-id[5]) + "#0"
			if at := slices.Index(all, partner); at != i-1 && at != i+1 {
				t.Errorf("%s is not beside %s in %v", id, partner, all)
			}
		}
	}
	if slices.Sort(all); len(slices.Compact(all)) != 11 {
		t.Errorf("a chunk is used twice: %v", all)
	}
}

// Code is compared by the parts of its identifiers; comments, even equal ones, have no say where they are queries.
func TestNeighboursOfFunctions(t *testing.T) {
	function := func(name, comment string) string {
		return fmt.Sprintf("// %s %s\nfunc %s%sValue(list []int) int {\n\tresult := compute%sTotal(list)\n\treturn result * %d // and so on\n}\n\n", name, comment, name, "X", name[:4], len(name))
	}
	var source strings.Builder
	source.WriteString("package a\n\n")
	for i, word := range []string{"Left", "Mean"} {
		for j := range 4 {
			source.WriteString(function(fmt.Sprintf("%s%c", word, 'A'+j), fmt.Sprintf("explains the general number %d of this whole list.", (i+j)%2)))
		}
	}
	root := tree(t, map[string]string{"a.go": source.String()})
	var want [][]string
	for _, queries := range []string{NoQueries, Comments, Chunks} {
		opt := functions(t, root)
		opt.GroupBy, opt.Queries = BM25, queries
		if queries == Chunks {
			opt.GroupSize *= 2
		}
		_, r := runAndRead(t, opt)
		var got [][]string
		for i, line := range r.lines {
			got = append(got, line.IDs)
			for j, id := range line.IDs {
				if strings.TrimPrefix(id, "a.")[:4] != strings.TrimPrefix(line.IDs[0], "a.")[:4] {
					t.Errorf("%s: group %v mixes two kinds", queries, line.IDs)
				}
				if name := strings.TrimSuffix(id[strings.LastIndexByte(id, '.')+1:], "XValue"); queries == Comments && !strings.Contains(r.groups[i].Texts[j], "func "+name+"XValue(") {
					t.Errorf("text %d of group %d is not of %s", j, i, id)
				}
			}
		}
		if queries == Comments {
			want = got
		}
		if len(got) != 2 || queries == Chunks && !reflect.DeepEqual(got, want) {
			t.Errorf("%s: groups are %v, those of comments %v", queries, got, want)
		}
	}
}

// With a hold-out: the same on every run and number of threads, another order for another seed, each function once,
// pairs aligned.
func TestNeighboursAreDeterministic(t *testing.T) {
	files := map[string]string{}
	for i := range 12 {
		files[fmt.Sprintf("p%d/x.go", i)] = goFile(fmt.Sprintf("p%d", i), names(fmt.Sprintf("Name%d", i), 7)...)
	}
	root := tree(t, files)
	run := func(seed int64, threads int) ([]groupLine, Summary) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
		opt := functions(t, root)
		opt.GroupBy, opt.Holdout, opt.Seed = BM25, 0.3, seed
		sum, r := runAndRead(t, opt)
		return r.lines, sum
	}
	first, sum := run(1, 1)
	again, _ := run(1, 4)
	other, _ := run(2, 1)
	if !reflect.DeepEqual(first, again) || reflect.DeepEqual(first, other) {
		t.Errorf("runs of one seed differ, or those of two do not")
	}
	seen := map[string]bool{}
	for _, line := range first {
		for j, id := range line.IDs {
			name := id[strings.LastIndexByte(id, '.')+1:]
			if seen[id] || line.Query[j] != "computes the "+strings.ToLower(name)+" number of a list." || !strings.HasPrefix(line.Text[j], "func "+name+"(") {
				t.Errorf("%s: seen before (%v), query %q, text %q", id, seen[id], line.Query[j], line.Text[j])
			}
			seen[id] = true
		}
	}
	if len(seen) != sum.Trained || sum.Trained+sum.LeftOver+sum.Holdout.Documents != 84 || sum.Holdout.Documents == 0 {
		t.Errorf("%d functions in groups, counts %+v", len(seen), sum)
	}
}

// The quick start's corpus: every function with a comment is used once, and neighbours share more words than chance.
func TestGoStandardLibraryByBM25(t *testing.T) {
	shared := map[string]float64{}
	for _, by := range []string{BM25, AtRandom} {
		opt := quickStart(t)
		opt.GroupBy = by
		sum, r := runAndRead(t, opt)
		checkTraining(t, r.groups)
		packages, pairs := 0, 0
		for _, line := range r.lines {
			of := func(i int) string { return line.IDs[i][:strings.LastIndexByte(line.IDs[i], '.')] }
			for i := range line.IDs[1:] {
				pairs++
				if of(0) == of(i+1) {
					packages++
				}
			}
		}
		shared[by] = float64(packages) / float64(pairs)
		t.Logf("%s: %d functions in %d groups, %.1f %% of a group beside its seed of the same package, %.1f s", by, sum.Trained, sum.Groups, 100*shared[by], sum.Seconds)
		if sum.LeftOver > 1 {
			t.Errorf("%s leaves %d over", by, sum.LeftOver)
		}
	}
	if shared[BM25] < 10*shared[AtRandom] {
		t.Errorf("packages agree in %v, by BM25 no more than at random", shared)
	}
}

// Progress goes from no chunk to all, while they are indexed and while seeds are looked at.
func TestGroupingReportsProgress(t *testing.T) {
	var docs strings.Builder
	for i := range 150 {
		docs.WriteString(record(fmt.Sprint(i), "", topic("cat", i)))
	}
	opt := sentencesOf(t, tree(t, map[string]string{"a.jsonl": docs.String()}))
	opt.GroupBy = BM25
	var seen []string
	if _, err := Run(context.Background(), opt, func(e Event) {
		if e.Total > 0 {
			seen = append(seen, fmt.Sprintf("%s %d/%d", e.Stage, e.Done, e.Total))
		}
	}); err != nil {
		t.Fatal(err)
	}
	want := []string{"index 0/150", "index 150/150", "group 0/150", "group 64/150", "group 128/150", "group 150/150"}
	if !slices.Equal(seen, want) {
		t.Errorf("got %q, want %q", seen, want)
	}
}

// Grouping can be cancelled between groups, when all inputs are read.
func TestCancelledGroupingLeavesNothing(t *testing.T) {
	opt := functions(t, tree(t, map[string]string{"a.go": goFile("a", names("A", 9)...)}))
	opt.GroupBy = BM25
	ctx, cancel := context.WithCancel(context.Background())
	_, err := Run(ctx, opt, func(e Event) {
		if e.Stage == "write" {
			cancel()
		}
	})
	if left := outputs(t, filepath.Dir(opt.Output)); !errors.Is(err, context.Canceled) || len(left) != 0 {
		t.Errorf("got %v, want context.Canceled; left behind: %v", err, left)
	}
}
