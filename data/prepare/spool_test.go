package prepare

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestSpoolKeepsUnits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "units")
	s, err := openSpool(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	var want []unit
	for i := range 300 {
		u := unit{id: fmt.Sprint(i), text: strings.Repeat("é", i), file: "f", line: i, from: 2 * i, to: 3 * i, usable: i%2 == 0, dropped: i%3 == 0, sentence: "s", whole: "w",
			query: "q", name: "n", document: "d", folder: "o", pkg: "p"}
		want = append(want, u)
		if err := s.add(u); err != nil {
			t.Fatal(err)
		}
		if got, err := s.read(i / 2); err != nil || got != want[i/2] {
			t.Fatalf("while growing, unit %d is %+v, %v", i/2, got, err)
		}
	}
	if err := s.seal(); err != nil {
		t.Fatal(err)
	}
	for i, u := range want {
		if got, err := s.At(i); err != nil || got != u {
			t.Errorf("unit %d is %+v, %v", i, got, err)
		}
	}
	size := s.size
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := openSpool(path, size)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	var got []unit
	if err := again.replay(func(u unit) error { got = append(got, u); return nil }); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("replayed %d units, %v", len(got), err)
	}
	whole := encodeUnit(nil, want[3])
	for cut := range len(whole) {
		if _, err := decodeUnit(whole[:cut]); err == nil {
			t.Errorf("a record of %d bytes is not broken", cut)
		}
	}
}

// corpus writes a folder with files of several formats, with duplicates, broken records and functions of one name.
func corpus(t *testing.T, unit string) string {
	files := map[string]string{}
	for i := range 30 {
		if unit == Functions {
			files[fmt.Sprintf("p%d/a.go", i%7)] += goFile(fmt.Sprintf("p%d", i%7), "Init") // broken where it comes twice
			files[fmt.Sprintf("p%d/%d.go", i%7, i)] = goFile(fmt.Sprintf("p%d", i%7), names(fmt.Sprintf("Name%d", i), 4)...) + strings.Replace(goFunction(fmt.Sprintf("Init%d", i)), "func Init"+fmt.Sprint(i), "func Init", 1)
			continue
		}
		var lines strings.Builder
		for j := range 40 {
			lines.WriteString(record(fmt.Sprintf("d%d/%d", i, j), fmt.Sprintf("Title of number %d", j), long(fmt.Sprintf("Word%d", j*i%17))+" "+long(fmt.Sprintf("Other%d", j))))
			if j == 20 {
				lines.WriteString("{broken\n")
			}
		}
		files[fmt.Sprintf("%d.jsonl", i)] = lines.String()
		files[fmt.Sprintf("%d.txt", i)] = long(fmt.Sprintf("Text%d", i))
	}
	return tree(t, files)
}

// Killed after any file and run again, a preparation gives the same bytes as the unbroken one.
func TestInterruptedRunsContinue(t *testing.T) {
	defer func(every time.Duration) { saveEvery = every }(saveEvery)
	for _, kind := range []Options{
		{Unit: Sentences, Queries: NoQueries, Dedup: Near}, {Unit: Functions, Queries: Comments, Holdout: 0.3}, {Unit: Sentences, Queries: Titles, Holdout: 0.3},
	} {
		opt := sentencesOf(t, corpus(t, kind.Unit))
		opt.Unit, opt.Queries, opt.Dedup, opt.Holdout = kind.Unit, kind.Queries, kind.Dedup, kind.Holdout
		saveEvery = 10 * time.Second
		want, err := Run(context.Background(), opt, nil)
		if err != nil {
			t.Fatal(err)
		}
		wantFiles := outputs(t, filepath.Dir(opt.Output))
		for _, stopAt := range []int{1, 5, 17, want.Files} {
			opt.Output = filepath.Join(t.TempDir(), "groups.jsonl.gz")
			saveEvery = 0
			ctx, cancel := context.WithCancel(context.Background())
			_, err := Run(ctx, opt, func(e Event) {
				if e.Files == stopAt {
					cancel()
				}
			})
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("%s, stopped at file %d: got %v", kind.Unit, stopAt, err)
			}
			if _, err := os.Stat(opt.workDir()); err != nil {
				t.Errorf("%s, stopped at file %d: nothing is kept: %v", kind.Unit, stopAt, err)
			}
			first := -1
			got, err := Run(context.Background(), opt, func(e Event) {
				if first < 0 && e.Stage == "read" && e.Broken == nil {
					first = e.Files
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			if first >= 0 && first < stopAt {
				t.Errorf("%s, stopped at file %d: file %d is read again", kind.Unit, stopAt, first)
			}
			got.Output, got.Seconds, got.Holdout = want.Output, want.Seconds, want.Holdout
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s, stopped at file %d:\n got %+v\nwant %+v", kind.Unit, stopAt, got, want)
			}
			if files := outputs(t, filepath.Dir(opt.Output)); !reflect.DeepEqual(files, wantFiles) {
				t.Errorf("%s, stopped at file %d: other outputs than of the unbroken run", kind.Unit, stopAt)
			}
			cancel()
		}
	}
}

// What was kept of other inputs or options is not used.
func TestKeptWorkOfOtherOptionsIsDropped(t *testing.T) {
	defer func(every time.Duration) { saveEvery = every }(saveEvery)
	saveEvery = 0
	opt := sentencesOf(t, corpus(t, Sentences))
	ctx, cancel := context.WithCancel(context.Background())
	if _, err := Run(ctx, opt, func(Event) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	opt.Queries = Titles
	got, err := Run(context.Background(), opt, nil)
	if err != nil {
		t.Fatal(err)
	}
	files := outputs(t, filepath.Dir(opt.Output))
	opt.Output = filepath.Join(t.TempDir(), filepath.Base(opt.Output))
	want, err := Run(context.Background(), opt, nil)
	if err != nil || got.Units != want.Units || !reflect.DeepEqual(files, outputs(t, filepath.Dir(opt.Output))) {
		t.Errorf("got %+v, want %+v, %v", got, want, err)
	}
}

func TestThreadsDoNotMatter(t *testing.T) {
	for _, unit := range []string{Sentences, Functions} {
		root := corpus(t, unit)
		var want map[string]string
		for _, threads := range []int{1, 2, 7} {
			opt := sentencesOf(t, root)
			opt.Unit, opt.Threads, opt.Dedup = unit, threads, Near
			if _, err := Run(context.Background(), opt, nil); err != nil {
				t.Fatal(err)
			}
			files := outputs(t, filepath.Dir(opt.Output))
			if want == nil {
				want = files
			}
			if !reflect.DeepEqual(files, want) {
				t.Errorf("%s: %d threads give other groups than one", unit, threads)
			}
		}
	}
}

// Reading a corpus far larger than what is in work at a time takes memory for that alone.
func TestReadingIsBounded(t *testing.T) {
	const documents = 40_000
	var b strings.Builder
	for i := range documents {
		b.WriteString(record(fmt.Sprint(i), "", fmt.Sprintf("number %d ", i)+long("Text")))
	}
	opt := sentencesOf(t, tree(t, map[string]string{"a.jsonl": b.String()}))
	size := b.Len()
	b.Reset()
	opt.Output = filepath.Join(t.TempDir(), "groups.jsonl")
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	most, events := uint64(0), 0
	_, err := Run(context.Background(), opt, func(e Event) {
		if events++; events%50 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapAlloc-min(before.HeapAlloc, now.HeapAlloc))
		}
	})
	if err != nil || events == 0 {
		t.Fatal(err)
	}
	t.Logf("%d MB of text, %.1f MB of heap, %d bytes a chunk", size>>20, float64(most)/(1<<20), int(most)/documents)
	if most > uint64(size) {
		t.Errorf("%d bytes of heap for %d of text", most, size)
	}
}
