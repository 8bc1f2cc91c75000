// Package engine asks a search engine that holds a corpus already for its BM25 ranking: OpenSearch or Elasticsearch, over
// the part of their HTTP API that both share (`_msearch` with a `match` query, term statistics over all shards).
package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// queryWords is how much of a text is asked for: engines refuse queries of more than 1024 clauses.
	queryWords = 500
	// MaxHits is how deep engines rank without further settings (index.max_result_window).
	MaxHits = 10000
	// searchesAtOnce is how many searches a request holds.
	searchesAtOnce = 32
	attempts       = 5
)

// Index is an index of an engine.
type Index struct {
	address  string // of the index, without credentials
	user     *url.Userinfo
	field    string
	client   *http.Client
	patience time.Duration // before the second attempt; doubled for each further one
}

// Hit is a document of the index.
type Hit struct {
	ID    string
	Score float64
}

// Parse returns the index at an address http(s)://[USER:PASSWORD@]HOST[:PORT]/INDEX[?field=NAME]; the field that holds the
// texts is "text" unless it is named.
func Parse(address string) (*Index, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	name := strings.Trim(u.Path, "/")
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || name == "" || strings.Contains(name, "/") {
		return nil, fmt.Errorf("engine: %s, expected http://HOST:PORT/INDEX or https://HOST:PORT/INDEX", u.Redacted())
	}
	x := &Index{user: u.User, field: "text", client: &http.Client{Timeout: 2 * time.Minute}, patience: 500 * time.Millisecond}
	for key, values := range u.Query() {
		if key != "field" || values[0] == "" {
			return nil, fmt.Errorf("engine: unknown parameter %s, expected field=NAME", key)
		}
		x.field = values[0]
	}
	x.address = u.Scheme + "://" + u.Host + "/" + url.PathEscape(name)
	return x, nil
}

// Check tells whether the index answers and how many documents it holds.
func (x *Index) Check(ctx context.Context) (documents int64, err error) {
	var answer struct {
		Count int64 `json:"count"`
	}
	if err := x.ask(ctx, http.MethodGet, "/_count", nil, &answer); err != nil {
		return 0, err
	}
	return answer.Count, nil
}

type match struct {
	Size   int  `json:"size"`
	Source bool `json:"_source"`
	Query  struct {
		Match map[string]map[string]string `json:"match"`
	} `json:"query"`
}

// answer is one of the responses to _msearch.
type answer struct {
	Hits struct {
		Hits []struct {
			ID    string  `json:"_id"`
			Score float64 `json:"_score"`
		} `json:"hits"`
	} `json:"hits"`
	TimedOut bool            `json:"timed_out"`
	Error    json.RawMessage `json:"error"`
}

// Search returns the k documents that the engine ranks highest for each text.
func (x *Index) Search(ctx context.Context, texts []string, k int) ([][]Hit, error) {
	all := make([][]Hit, 0, len(texts))
	for len(texts) > 0 {
		n := min(searchesAtOnce, len(texts))
		hits, err := x.searchPart(ctx, texts[:n], k)
		if err != nil {
			return nil, err
		}
		all, texts = append(all, hits...), texts[n:]
	}
	return all, nil
}

func (x *Index) searchPart(ctx context.Context, texts []string, k int) ([][]Hit, error) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	for _, text := range texts {
		var m match
		m.Size = k
		m.Query.Match = map[string]map[string]string{x.field: {"query": firstWords(text)}}
		if err := errors.Join(encoder.Encode(struct{}{}), encoder.Encode(m)); err != nil {
			return nil, fmt.Errorf("engine: %w", err)
		}
	}
	var found struct {
		Responses []answer `json:"responses"`
	}
	if err := x.ask(ctx, http.MethodPost, "/_msearch?search_type=dfs_query_then_fetch", body.Bytes(), &found); err != nil {
		return nil, err
	}
	if len(found.Responses) != len(texts) {
		return nil, fmt.Errorf("engine: %s answers %d of %d searches", x.address, len(found.Responses), len(texts))
	}
	all := make([][]Hit, len(texts))
	for i, r := range found.Responses {
		if len(r.Error) > 0 || r.TimedOut {
			return nil, fmt.Errorf("engine: %s: search failed: %s", x.address, reason(r.Error))
		}
		for _, hit := range r.Hits.Hits {
			all[i] = append(all[i], Hit{ID: hit.ID, Score: hit.Score})
		}
	}
	return all, nil
}

// ask sends a request, again when the engine is too busy or does not answer, and decodes the answer.
func (x *Index) ask(ctx context.Context, method, path string, body []byte, answer any) error {
	pause := x.patience
	for attempt := 1; ; attempt++ {
		busy, err := x.try(ctx, method, path, body, answer)
		if err == nil || !busy || attempt == attempts {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
			pause *= 2
		}
	}
}

func (x *Index) try(ctx context.Context, method, path string, body []byte, answer any) (again bool, err error) {
	request, err := http.NewRequestWithContext(ctx, method, x.address+path, bytes.NewReader(body))
	if err != nil {
		return false, fmt.Errorf("engine: %w", err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/x-ndjson")
	}
	if x.user != nil {
		password, _ := x.user.Password()
		request.SetBasicAuth(x.user.Username(), password)
	}
	response, err := x.client.Do(request)
	if err != nil {
		return ctx.Err() == nil, fmt.Errorf("engine: %w", err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return ctx.Err() == nil, fmt.Errorf("engine: %s: read answer: %w", x.address, err)
	}
	if response.StatusCode != http.StatusOK {
		var failed struct {
			Error json.RawMessage `json:"error"`
		}
		busy := response.StatusCode == http.StatusTooManyRequests || response.StatusCode >= http.StatusInternalServerError
		if json.Unmarshal(content, &failed) != nil {
			failed.Error = nil
		}
		return busy, fmt.Errorf("engine: %s: %s: %s", x.address, response.Status, reason(failed.Error))
	}
	if err := json.Unmarshal(content, answer); err != nil {
		return false, fmt.Errorf("engine: %s: answer is not that of OpenSearch or Elasticsearch: %w", x.address, err)
	}
	return false, nil
}

// reason is what an engine says about a failure.
func reason(raw json.RawMessage) string {
	var e struct {
		Type   string `json:"type"`
		Reason string `json:"reason"`
	}
	switch err := json.Unmarshal(raw, &e); {
	case err != nil && len(raw) > 0:
		return strings.Trim(string(raw), `"`)
	case err != nil || e.Type == "":
		return "no reason given"
	}
	return e.Type + ": " + e.Reason
}

// firstWords returns the beginning of a text, up to queryWords words.
func firstWords(text string) string {
	words := strings.Fields(text)
	return strings.Join(words[:min(queryWords, len(words))], " ")
}
