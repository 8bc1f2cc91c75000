package prepare

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"revela/bm25"
	"revela/data/permute"
)

// someTexts are texts of a few subjects, with words of their own and words of all.
func someTexts(n int) []string {
	rng := rand.New(rand.NewPCG(7, 7))
	texts := make([]string, n)
	for i := range texts {
		subject := rng.IntN(1 + n/12)
		for range 4 + rng.IntN(12) {
			if rng.IntN(3) == 0 {
				texts[i] += fmt.Sprintf("common%d ", rng.IntN(20))
			} else {
				texts[i] += fmt.Sprintf("s%dw%d ", subject, rng.IntN(9))
			}
		}
		texts[i] += fmt.Sprintf("text%d.", i)
	}
	return texts
}

// oneAfterAnother groups by the definition: a search for every seed, in turn.
func oneAfterAnother(t *testing.T, texts []string, opt Options) (groups [][]int) {
	t.Helper()
	builder, err := bm25.NewBuilder(bm25.Defaults(bm25.English))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range texts {
		if err := builder.Add(text); err != nil {
			t.Fatal(err)
		}
	}
	finder, err := builder.BuildFinder()
	if err != nil {
		t.Fatal(err)
	}
	searcher, uses := finder.NewSearcher(), make([]int, len(texts))
	order := permute.New(len(texts), permute.Key(uint64(opt.Seed), uint64(hashPlace("order", BM25)*(1<<53))))
	var left []int
	for place := range int(opt.Seeds * float64(len(texts))) {
		seed := order.At(place)
		if uses[seed] >= opt.MaxUses {
			continue
		}
		group := []int{seed}
		for _, hit := range searcher.Nearest(int32(seed), opt.GroupSize-1, func(i int32) bool { return uses[i] >= opt.MaxUses }) {
			group = append(group, int(hit.Index))
		}
		for _, number := range group {
			uses[number]++
		}
		if len(group) == opt.GroupSize {
			groups = append(groups, group)
		} else {
			left = append(left, slices.DeleteFunc(group, func(i int) bool { return slices.Contains(left, i) })...)
		}
	}
	return slices.AppendSeq(groups, slices.Chunk(left, opt.GroupSize))
}

func TestGroupsAreThoseOfOneSearchAfterAnother(t *testing.T) {
	texts := someTexts(900)
	for _, opt := range []Options{
		{GroupSize: 2, MaxUses: 1, Seeds: 1}, {GroupSize: 8, MaxUses: 1, Seeds: 1}, {GroupSize: 16, MaxUses: 1, Seeds: 1, Seed: 3},
		{GroupSize: 8, MaxUses: 3, Seeds: 1}, {GroupSize: 5, MaxUses: 2, Seeds: 0.1},
	} {
		opt.Unit, opt.Queries, opt.GroupBy = Sentences, NoQueries, BM25
		want := oneAfterAnother(t, texts, opt)
		for _, threads := range []int{1, 3} {
			opt.Threads = threads
			n, err := newGrouping(opt, nil, func(int, int) {})
			if err != nil {
				t.Fatal(err)
			}
			var got [][]int
			emit := func(group []int) error { got = append(got, slices.Clone(group)); return nil }
			for _, text := range texts {
				if err := n.add(unit{id: text, text: text}, emit); err != nil {
					t.Fatal(err)
				}
			}
			if err := n.flush(context.Background(), emit); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%+v: %d groups, want %d; first %v, want %v", opt, len(got), len(want), got[0], want[0])
			}
			checkUses(t, got, opt)
		}
	}
}

// checkUses: no text twice in a group, none in more groups than it may be.
func checkUses(t *testing.T, groups [][]int, opt Options) {
	t.Helper()
	uses := map[int]int{}
	for _, group := range groups {
		for at, number := range group {
			if uses[number]++; slices.Contains(group[:at], number) {
				t.Errorf("%d is twice in %v", number, group)
			}
			if uses[number] > opt.MaxUses {
				t.Errorf("%d is in %d groups, may be in %d", number, uses[number], opt.MaxUses)
			}
		}
	}
}

func linesOf(t *testing.T, texts []string) string {
	t.Helper()
	var lines strings.Builder
	for i, text := range texts {
		lines.WriteString(record(fmt.Sprintf("d%d", i), "", text))
	}
	return filepath.Join(tree(t, map[string]string{"docs.jsonl": lines.String()}), "docs.jsonl")
}

// Several processes write what one would, and leave nothing else; so they do when one of them begins again.
func TestRanks(t *testing.T) {
	opt := sentencesOf(t, linesOf(t, someTexts(400)))
	opt.GroupBy, opt.GroupSize = BM25, 6
	if _, err := Run(context.Background(), opt, nil); err != nil {
		t.Fatal(err)
	}
	want := outputs(t, filepath.Dir(opt.Output))
	opt.Output = filepath.Join(t.TempDir(), filepath.Base(opt.Output))
	opt.Ranks = 3
	run := func(rank int, ctx context.Context) error {
		opt := opt
		opt.Rank = rank
		_, err := Run(ctx, opt, nil)
		return err
	}
	begun, cancel := context.WithCancel(context.Background())
	cancel()
	if err := run(1, begun); err == nil {
		t.Error("a cancelled rank says nothing")
	}
	var group sync.WaitGroup
	for rank := range opt.Ranks {
		group.Go(func() {
			if err := run(rank, context.Background()); err != nil {
				t.Errorf("rank %d: %v", rank, err)
			}
		})
	}
	group.Wait()
	if got := outputs(t, filepath.Dir(opt.Output)); !reflect.DeepEqual(got, want) {
		t.Errorf("ranks left %d files, not the %d of one process with the same content", len(got), len(want))
	}
}

// lexical answers as a search engine does, by our own BM25.
type lexical struct {
	index *bm25.Index
	ids   []string
}

func (l *lexical) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	if strings.HasSuffix(request.URL.Path, "/_count") {
		fmt.Fprintf(w, `{"count":%d}`, len(l.ids))
		return
	}
	body, _ := io.ReadAll(request.Body)
	lines := strings.Split(strings.TrimSpace(string(body)), "\n")
	var responses []string
	for i := 1; i < len(lines); i += 2 {
		var question struct {
			Size  int
			Query struct {
				Match struct{ Text struct{ Query string } }
			}
		}
		_ = json.Unmarshal([]byte(lines[i]), &question)
		hits, _ := l.index.Search(question.Query.Match.Text.Query, question.Size)
		var found []string
		for _, hit := range hits {
			found = append(found, fmt.Sprintf(`{"_id":%q,"_score":%g}`, l.ids[hit.Index], hit.Score))
		}
		responses = append(responses, `{"hits":{"hits":[`+strings.Join(found, ",")+`]},"status":200}`)
	}
	fmt.Fprintf(w, `{"responses":[%s]}`, strings.Join(responses, ","))
}

// An engine that holds the corpus groups as our own index does; one of another corpus is found out.
func TestEngine(t *testing.T) {
	texts := someTexts(300)
	opt := sentencesOf(t, linesOf(t, texts))
	opt.GroupBy = BM25
	_, want := runAndRead(t, opt)
	builder, err := bm25.NewBuilder(bm25.Defaults(bm25.English))
	if err != nil {
		t.Fatal(err)
	}
	engine := &lexical{}
	for i, text := range texts {
		engine.ids = append(engine.ids, fmt.Sprintf("d%d", i))
		if err := builder.Add(text); err != nil {
			t.Fatal(err)
		}
	}
	if engine.index, err = builder.Build(); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(engine)
	defer server.Close()
	opt.Engine, opt.Output = server.URL+"/corpus", filepath.Join(t.TempDir(), "groups.jsonl")
	if _, got := runAndRead(t, opt); !reflect.DeepEqual(got.lines, want.lines) {
		t.Errorf("groups differ: first %v, want %v", got.lines[0].IDs, want.lines[0].IDs)
	}
	for i := range engine.ids {
		engine.ids[i] = "other" + engine.ids[i]
	}
	if _, err := Run(context.Background(), opt, nil); err == nil || !strings.Contains(err.Error(), `none of the documents found is one of the inputs (the last is "other`) {
		t.Errorf("another corpus: %v", err)
	}
}

// TestEngineServer loads texts into the engine that $REVELA_ENGINE names and groups by it.
func TestEngineServer(t *testing.T) {
	server := os.Getenv("REVELA_ENGINE")
	if server == "" {
		t.Skip("REVELA_ENGINE names no OpenSearch or Elasticsearch, such as http://localhost:9200")
	}
	const index = "revela-test"
	ask := func(method, path, body string) {
		request, err := http.NewRequest(method, strings.TrimSuffix(server, "/")+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/x-ndjson")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if content, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusOK || strings.Contains(string(content), `"errors":true`) {
			t.Fatalf("%s %s: %s: %.300s", method, path, response.Status, content)
		}
	}
	texts := someTexts(600)
	var bulk strings.Builder
	for i, text := range texts {
		fmt.Fprintf(&bulk, `{"index":{"_index":%q,"_type":"_doc","_id":"d%d"}}`+"\n"+`{"text":%q}`+"\n", index, i, text)
	}
	ask(http.MethodPost, "/_bulk?refresh=true", bulk.String())
	defer ask(http.MethodDelete, "/"+index, "")
	opt := sentencesOf(t, linesOf(t, texts))
	opt.GroupBy, opt.Engine = BM25, strings.TrimSuffix(server, "/")+"/"+index
	sum, first := runAndRead(t, opt)
	if sum.Trained != len(texts) {
		t.Errorf("counts are %+v", sum)
	}
	same, pairs := 0, 0
	for _, line := range first.lines {
		subject := func(text string) string {
			for _, word := range strings.Fields(text) {
				if word[0] == 's' {
					return word[:strings.IndexByte(word, 'w')]
				}
			}
			return ""
		}
		for _, text := range line.Text[1:] {
			if pairs++; subject(text) == subject(line.Text[0]) {
				same++
			}
		}
	}
	t.Logf("%d groups, %d of %d neighbours of their seed's subject", len(first.lines), same, pairs)
	if same < pairs/2 {
		t.Errorf("%d of %d neighbours are of their seed's subject", same, pairs)
	}
	opt.Output = filepath.Join(t.TempDir(), "groups.jsonl")
	if _, again := runAndRead(t, opt); !reflect.DeepEqual(first.lines, again.lines) {
		t.Error("two runs differ")
	}
}
