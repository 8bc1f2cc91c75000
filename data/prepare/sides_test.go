package prepare

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// sideOf finds a package name that falls on a side of the split.
func sideOf(want side, share float64) string {
	s := &splitter{by: ByPackage, holdout: share}
	for i := 0; ; i++ {
		name := fmt.Sprintf("p%d", i)
		if s.side(unit{pkg: name}) == want {
			return name
		}
	}
}

// Every rule against leaks in a small corpus of one evaluated and one training package.
func TestLeakRules(t *testing.T) {
	test, train := sideOf(heldOut, 0.5), sideOf(training, 0.5)
	inCode := "// TestI explains how to open the door.\nfunc TestI(list []int) int {\n\t// explains, how to\n\t// open the door.\n\treturn totalTestI(list, 1234)\n}\n\n"
	copied := strings.ReplaceAll(strings.Replace(goFunction("TestA"), "TestA computes the testa number", "Copied computes the copied number", 1), "func TestA(", "func Copied(")
	asking := strings.Replace(goFunction("Asking"), "computes the asking number of a list.", "computes the testb number of a list. And it does more.", 1)
	twins := strings.Replace(goFunction("TwinA"), "computes the twina", "computes the twin", 1) + strings.Replace(goFunction("TwinB"), "computes the twinb", "computes the twin", 1)
	root := tree(t, map[string]string{
		test + "/t.go":  goFile(test, names("Test", 3)...) + inCode + twins + strings.ReplaceAll(goFunction("TestHidden"), "TestHidden", "testHidden"),
		train + "/t.go": goFile(train, names("Train", 5)...) + copied + asking,
	})
	opt := functions(t, root)
	opt.Holdout, opt.GroupSize = 0.5, 5
	sum, r := runAndRead(t, opt)
	if sum.Copies != 1 || sum.Asked != 1 || sum.Holdout.InTexts != 1 || sum.Trained != 5 {
		t.Errorf("counts are %+v, holdout %+v", sum, sum.Holdout)
	}
	var ids []string
	for _, line := range r.lines {
		ids = append(ids, line.IDs...)
	}
	slices.Sort(ids)
	want := []string{train + ".TrainA", train + ".TrainB", train + ".TrainC", train + ".TrainD", train + ".TrainE"}
	if !slices.Equal(ids, want) {
		t.Errorf("trained on %v, want %v", ids, want)
	}
	if len(r.corpus) != 7 {
		t.Errorf("corpus holds %d functions, want 7: %+v", len(r.corpus), r.corpus)
	}
	queries := map[string]string{}
	for _, q := range r.queries {
		queries[q.ID] = q.Text
	}
	wantQueries := map[string]string{}
	for _, name := range names("Test", 3) { // not the twins', not the one in code, not the unexported function's
		wantQueries["query:"+test+"."+name] = "computes the " + strings.ToLower(name) + " number of a list."
	}
	if !reflect.DeepEqual(queries, wantQueries) {
		t.Errorf("queries are %v, want %v", queries, wantQueries)
	}
	first := beirDocument{
		ID: test + ".TestA", File: filepath.Join(root, test, "t.go"), Line: 4, Name: "TestA",
		Text: strings.TrimSpace(strings.SplitN(goFunction("TestA"), "\n", 2)[1]),
	}
	if r.corpus[0] != first {
		t.Errorf("first document is %+v, want %+v", r.corpus[0], first)
	}
	if lines := strings.Split(strings.TrimSpace(r.qrels), "\n"); len(lines) != 4 || lines[0] != "query-id\tcorpus-id\tscore" ||
		!strings.Contains(r.qrels, "\nquery:"+test+".TestA\t"+test+".TestA\t1\n") {
		t.Errorf("qrels are %q", r.qrels)
	}
}

func TestNearCopiesAreOnOneSide(t *testing.T) {
	f := newFamilies()
	add := func(key string, functions ...string) {
		for _, name := range functions {
			f.add(key, goFunction(name))
		}
	}
	add("strings", names("Common", 2)...)
	add("strings", names("Strings", 4)...)
	add("bytes", names("Common", 2)...)
	add("bytes", names("Bytes", 4)...)
	add("once", "CommonA", "OnceB", "OnceC") // one copy is chance
	add("other", names("Other", 5)...)
	f.joinCopies()
	for key, want := range map[string]string{"strings": "bytes", "bytes": "bytes", "once": "once", "other": "other"} {
		if got := f.of(key); got != want {
			t.Errorf("%s belongs to %s, want %s", key, got, want)
		}
	}
}

func TestNamesakes(t *testing.T) {
	for importPath, want := range map[string]string{
		"crypto/internal/fips140/aes": "crypto/aes", "crypto/aes": "crypto/aes", "math/rand/v2": "math/rand", "math/rand": "math/rand",
		"strings": "strings", "go/build": "go/build", "example.com/a/b/v2/c/d": "example.com/a/b/d", "example.com/a/b": "example.com/a/b",
	} {
		if got := namesake(importPath); got != want {
			t.Errorf("%s is of %s, want %s", importPath, got, want)
		}
	}
}
