package data

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"revela/internal/testdata"
)

func open(t *testing.T, opt Options, paths ...string) *Groups {
	t.Helper()
	g, err := Open(paths, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// lines is n groups of size texts, text j of group i being "i.j".
func lines(n, size int) string {
	var b strings.Builder
	for i := range n {
		var texts []string
		for j := range size {
			texts = append(texts, fmt.Sprintf("%q", fmt.Sprintf("%d.%d", i, j)))
		}
		fmt.Fprintf(&b, "[%s]\n", strings.Join(texts, ", "))
	}
	return b.String()
}

// epoch reads a whole epoch in order.
func epoch(t *testing.T, g *Groups, number int) []Group {
	t.Helper()
	var list []Group
	for i := range g.Len() {
		group, err := g.Group(number, i)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, group)
	}
	return list
}

const threeShapes = "\xef\xbb\xbf" + `["a", "b", "c"]
{"src": "wiki", "text": ["d", "e"], "id": 7}

{"query": ["q1", "q2"], "text": ["t1", "t2", "n1"]}`

func TestThreeShapesOfALine(t *testing.T) {
	for _, name := range []string{"g.jsonl", "g.jsonl.gz", "g.jsonl.zst"} {
		path := testdata.Write(t, name, threeShapes)
		want := []Group{
			{Texts: []string{"a", "b", "c"}, Number: 0, File: path, Line: 1},
			{Source: "wiki", Texts: []string{"d", "e"}, Number: 1, File: path, Line: 2},
			{Queries: []string{"q1", "q2"}, Texts: []string{"t1", "t2", "n1"}, Number: 2, File: path, Line: 4},
		}
		if got := epoch(t, open(t, Options{}, path), 0); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
}

func TestFilesAreHashedAsStored(t *testing.T) {
	for _, name := range []string{"g.jsonl", "g.jsonl.gz", "g.jsonl.zst"} {
		path := testdata.Write(t, name, lines(40, 3))
		stored, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(stored)
		want := []File{{Path: path, SHA256: hex.EncodeToString(sum[:]), Bytes: int64(len(stored)), Groups: 40}}
		if got := open(t, Options{}, path).Files(); !slices.Equal(got, want) {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
}

func TestOrderIsAFunctionOfSeedEpochAndIndex(t *testing.T) {
	opt := Options{Seed: 42, Shuffle: true, ShuffleWithinGroup: true}
	plain, zst := testdata.Write(t, "a.jsonl", lines(60, 4)), testdata.Write(t, "b.jsonl.zst", lines(41, 5))
	g := open(t, opt, plain, zst)
	first, second := epoch(t, g, 0), epoch(t, g, 1)
	if reflect.DeepEqual(first, second) {
		t.Error("epochs 0 and 1 have the same order")
	}
	for _, list := range [][]Group{first, second} {
		seen := map[int]bool{}
		for _, group := range list {
			seen[group.Number] = true
		}
		if len(seen) != 101 {
			t.Errorf("an epoch holds %d different groups, expected 101", len(seen))
		}
	}
	again := open(t, opt, plain, zst)
	for _, i := range []int{100, 3, 57, 0} { // any place at once, in any order
		for number, list := range [][]Group{first, second} {
			if got, err := again.Group(number, i); err != nil || !reflect.DeepEqual(got, list[i]) {
				t.Errorf("epoch %d index %d: got %+v, %v; want %+v", number, i, got, err, list[i])
			}
		}
	}
	opt.Seed = 43
	if reflect.DeepEqual(first, epoch(t, open(t, opt, plain, zst), 0)) {
		t.Error("seeds 42 and 43 give the same order")
	}
}

func TestReadFromManyGoroutines(t *testing.T) {
	g := open(t, Options{Seed: 1, Shuffle: true, ShuffleWithinGroup: true}, testdata.Write(t, "g.jsonl.gz", lines(50, 4)))
	want := epoch(t, g, 0)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for i := range want {
				if got, err := g.Group(0, i); err != nil || !reflect.DeepEqual(got, want[i]) {
					t.Errorf("index %d: got %+v, %v; want %+v", i, got, err, want[i])
				}
			}
		})
	}
	wait.Wait()
}

func TestPositionsFollowTheEpochs(t *testing.T) {
	g := open(t, Options{Seed: 7, Shuffle: true}, testdata.Write(t, "g.jsonl", lines(10, 2)))
	for count, want := range map[int64]Position{0: {0, 0}, 9: {0, 9}, 10: {1, 0}, 37: {3, 7}} {
		got := g.Position(count)
		if got != want || g.Count(got) != count {
			t.Errorf("after %d groups: got %+v (count %d), want %+v", count, got, g.Count(got), want)
		}
		byPosition, err := g.At(got)
		byIndex, _ := g.Group(want.Epoch, want.Index)
		if err != nil || !reflect.DeepEqual(byPosition, byIndex) {
			t.Errorf("at %+v: got %+v, %v; want %+v", got, byPosition, err, byIndex)
		}
	}
	if _, err := g.Group(0, 10); err == nil || err.Error() != "read group: index 10 is outside 0…9" {
		t.Errorf("index past the end: got %v", err)
	}
}

func TestWithoutShufflingFileOrderStays(t *testing.T) {
	g := open(t, Options{Seed: 3}, testdata.Write(t, "a.jsonl", lines(5, 3)), testdata.Write(t, "b.jsonl", lines(4, 3)))
	for i, group := range epoch(t, g, 2) {
		if group.Number != i || !slices.IsSortedFunc(group.Texts, strings.Compare) {
			t.Errorf("place %d holds group %d with %v", i, group.Number, group.Texts)
		}
	}
}

func TestGroupSizeCutsLongerLinesOnly(t *testing.T) {
	content := `["a","b","c","d"]
["e","f"]
{"query":["q1","q2","q3","q4"],"text":["t1","t2","t3","t4","n"]}`
	got := epoch(t, open(t, Options{GroupSize: 3}, testdata.Write(t, "g.jsonl", content)), 0)
	for i, want := range [][]string{{"a", "b", "c"}, {"e", "f"}, {"t1", "t2", "t3"}} {
		if !slices.Equal(got[i].Texts, want) {
			t.Errorf("group %d: texts %v, want %v", i, got[i].Texts, want)
		}
	}
	if want := []string{"q1", "q2", "q3"}; !slices.Equal(got[2].Queries, want) {
		t.Errorf("queries %v, want %v", got[2].Queries, want)
	}
}

// pairsKept tells for how many i query i still stands beside text i.
func pairsKept(g Group) int {
	kept := 0
	for i := range min(len(g.Queries), len(g.Texts)) {
		if g.Queries[i][1:] == g.Texts[i][1:] {
			kept++
		}
	}
	return kept
}

func TestShuffleWithinGroup(t *testing.T) {
	path := testdata.Write(t, "g.jsonl", `{"query":["q1","q2","q3","q4","q5","q6"],"text":["t1","t2","t3","t4","t5","t6","n7","n8"]}
["a","b"]`)
	apart := open(t, Options{Seed: 5, ShuffleWithinGroup: true}, path)
	pairs := open(t, Options{Seed: 5, ShuffleWithinGroup: true, KeepPairs: true}, path)
	keptApart, moved := 0, 0
	for e := range 40 {
		a, errA := apart.Group(e, 0)
		p, errP := pairs.Group(e, 0)
		if errA != nil || errP != nil {
			t.Fatal(errA, errP)
		}
		keptApart += pairsKept(a)
		if pairsKept(p) != 6 {
			t.Errorf("epoch %d: pairs broken: %v %v", e, p.Queries, p.Texts)
		}
		if p.Texts[0] != "t1" {
			moved++
		}
		for _, list := range [][]string{a.Texts, p.Texts} {
			if sorted := slices.Sorted(slices.Values(list)); !slices.Equal(sorted, []string{"n7", "n8", "t1", "t2", "t3", "t4", "t5", "t6"}) {
				t.Errorf("epoch %d: texts %v are no permutation", e, list)
			}
		}
	}
	if keptApart > 80 { // one in eight by chance: about 30 of 240
		t.Errorf("queries and texts move together: %d of 240 pairs kept", keptApart)
	}
	if moved < 20 {
		t.Errorf("pairs moved in %d of 40 epochs only", moved)
	}
}
