package engine

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// recorded answers as Elasticsearch 6.8.23 did when asked the same; what is asked is kept in requests.
type recorded struct {
	status   []int // of the requests in turn, 200 afterwards
	answers  map[string]string
	requests []string
}

func (r *recorded) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	r.requests = append(r.requests, request.Method+" "+request.URL.Path+" "+request.Header.Get("Content-Type")+"\n"+string(body))
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	if len(r.status) > 0 {
		status := r.status[0]
		r.status = r.status[1:]
		if status != http.StatusOK {
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"error":{"root_cause":[],"type":"es_rejected_execution_exception","reason":"queue is full"},"status":%d}`, status)
			return
		}
	}
	answer, found := r.answers[request.URL.Path]
	if !found {
		w.WriteHeader(http.StatusNotFound)
		answer = `{"error":{"root_cause":[{"type":"index_not_found_exception","reason":"no such index"}],"type":"index_not_found_exception","reason":"no such index","index":"wiki"},"status":404}`
	}
	fmt.Fprint(w, answer)
}

const twoAnswers = `{"took":7,"responses":[{"took":6,"timed_out":false,"_shards":{"total":1,"successful":1,"skipped":0,"failed":0},"hits":{"total":2,"max_score":1.2039728,"hits":[{"_index":"wiki","_type":"_doc","_id":"a","_score":1.2039728},{"_index":"wiki","_type":"_doc","_id":"b","_score":0.5753642}]},"status":200},{"took":0,"timed_out":false,"_shards":{"total":1,"successful":1,"skipped":0,"failed":0},"hits":{"total":0,"max_score":null,"hits":[]},"status":200}]}`

func serve(t *testing.T, r *recorded, suffix string) *Index {
	t.Helper()
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	x, err := Parse(server.URL + "/wiki" + suffix)
	if err != nil {
		t.Fatal(err)
	}
	x.patience = time.Millisecond
	return x
}

func TestSearch(t *testing.T) {
	r := &recorded{answers: map[string]string{"/wiki/_msearch": twoAnswers, "/wiki/_count": `{"count":2,"_shards":{"total":1,"successful":1,"skipped":0,"failed":0}}`}, status: []int{429, 503}}
	x := serve(t, r, "?field=body")
	if n, err := x.Check(context.Background()); n != 2 || err != nil {
		t.Errorf("count %d, %v", n, err)
	}
	hits, err := x.Search(context.Background(), []string{"green \"tea\"", strings.Repeat("word ", 2*queryWords)}, 5)
	if err != nil {
		t.Fatal(err)
	}
	if len(hits) != 2 || !slices.Equal(hits[0], []Hit{{"a", 1.2039728}, {"b", 0.5753642}}) || len(hits[1]) != 0 {
		t.Errorf("got %v", hits)
	}
	if len(r.requests) != 4 || !strings.HasPrefix(r.requests[3], "POST /wiki/_msearch application/x-ndjson\n") {
		t.Fatalf("asked %q", r.requests)
	}
	lines := bufio.NewScanner(strings.NewReader(r.requests[3]))
	lines.Buffer(nil, 1<<20)
	lines.Scan()
	for _, want := range []string{"green \"tea\"", strings.TrimSpace(strings.Repeat("word ", queryWords))} {
		var question struct {
			Size  int
			Query struct {
				Match struct{ Body struct{ Query string } }
			}
		}
		lines.Scan()
		if lines.Text() != "{}" {
			t.Errorf("header is %s", lines.Text())
		}
		lines.Scan()
		if err := json.Unmarshal(lines.Bytes(), &question); err != nil || question.Size != 5 || question.Query.Match.Body.Query != want {
			t.Errorf("question %s, %v, want %.20q", lines.Text(), err, want)
		}
	}
}

func TestErrors(t *testing.T) {
	for address, want := range map[string]string{
		"localhost:9200/wiki":          "expected http://HOST:PORT/INDEX or https://HOST:PORT/INDEX",
		"http://u:secret@host:9200/":   "engine: http://u:xxxxx@host:9200/, expected http://HOST:PORT/INDEX or https://HOST:PORT/INDEX",
		"http://host/wiki?fields=text": "engine: unknown parameter fields, expected field=NAME",
	} {
		if _, err := Parse(address); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, test := range []struct {
		r    *recorded
		want string
	}{
		{&recorded{}, "404 Not Found: index_not_found_exception: no such index"},
		{&recorded{status: []int{503, 503, 503, 503, 503}}, "503 Service Unavailable: es_rejected_execution_exception: queue is full"},
		{&recorded{answers: map[string]string{"/wiki/_msearch": "<html>"}}, "answer is not that of OpenSearch or Elasticsearch"},
		{&recorded{answers: map[string]string{"/wiki/_msearch": `{"responses":[]}`}}, "answers 0 of 1 searches"},
		{&recorded{answers: map[string]string{"/wiki/_msearch": `{"responses":[{"error":{"type":"too_many_clauses","reason":"maxClauseCount is set to 1024"},"status":400}]}`}},
			"search failed: too_many_clauses: maxClauseCount is set to 1024"},
	} {
		_, err := serve(t, test.r, "").Search(context.Background(), []string{"x"}, 3)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
}
