// Package fakehub answers as the HuggingFace hub does, on a loopback address, for tests.
package fakehub

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Hub answers as the HuggingFace hub does: the API, small files itself with a git hash as ETag, safetensors and
// GGUF files by a redirect to storage on another host.
type Hub struct {
	Repos   map[string]map[string]string // "models/org/name" → file → content
	Commits map[string]string            // of a repository, where it is not Commit
	Token   string                       // asked for when not empty
	Fail    func(w http.ResponseWriter, r *http.Request) bool
	Server  *httptest.Server
	Storage *httptest.Server

	t        testing.TB
	holding  sync.RWMutex // Repos and Commits, once the servers run
	mu       sync.Mutex
	requests []string // method, path and Range
}

// Commit is what main stands at.
const Commit = "0123456789abcdef0123456789abcdef01234567"

// New starts a hub with these repositories; it ends with the test.
func New(t testing.TB, repos map[string]map[string]string) *Hub {
	h := &Hub{t: t, Repos: repos}
	h.Server = httptest.NewServer(h.log("hub", h.serveHub))
	h.Storage = httptest.NewServer(h.log("storage", h.serveStorage))
	t.Cleanup(h.Server.Close)
	t.Cleanup(h.Storage.Close)
	return h
}

func (h *Hub) log(name string, serve http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.requests = append(h.requests, strings.TrimSpace(fmt.Sprint(name, " ", r.Method, " ", r.URL.EscapedPath(), " ", r.Header.Get("Range"))))
		h.mu.Unlock()
		if h.Fail == nil || !h.Fail(w, r) {
			h.holding.RLock()
			defer h.holding.RUnlock()
			serve(w, r)
		}
	})
}

// Put gives a running hub a repository; commit "" stands for [Commit].
func (h *Hub) Put(name string, files map[string]string, commit string) {
	h.holding.Lock()
	defer h.holding.Unlock()
	h.Repos[name] = files
	if h.Commits == nil {
		h.Commits = map[string]string{}
	}
	h.Commits[name] = commit
}

func (h *Hub) commit(name string) string {
	if commit := h.Commits[name]; commit != "" {
		return commit
	}
	return Commit
}

// Requests returns all requests so far: server, method, path and Range.
func (h *Hub) Requests() []string { return h.Seen("") }

// Seen returns the requests that contain a text.
func (h *Hub) Seen(text string) (found []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.requests {
		if strings.Contains(r, text) {
			found = append(found, r)
		}
	}
	return found
}

// Error answers as the hub does: with a status and a code.
func Error(w http.ResponseWriter, status int, code string) {
	w.Header().Set("X-Error-Code", code)
	w.WriteHeader(status)
}

func (h *Hub) serveHub(w http.ResponseWriter, r *http.Request) {
	if h.Token != "" && r.Header.Get("Authorization") != "Bearer "+h.Token {
		Error(w, http.StatusUnauthorized, "GatedRepo")
		return
	}
	if rest, ok := strings.CutPrefix(r.URL.EscapedPath(), "/api/"); ok {
		h.serveInfo(w, rest)
		return
	}
	name, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/resolve/")
	if !strings.HasPrefix(name, "datasets/") {
		name = "models/" + name
	}
	revision, file, _ := strings.Cut(rest, "/")
	content, ok := h.Repos[name][file]
	if !ok || revision != h.commit(name) && revision != "main" {
		Error(w, http.StatusNotFound, "EntryNotFound")
		return
	}
	w.Header().Set("X-Repo-Commit", h.commit(name))
	if Large(file) {
		sum := sha256.Sum256([]byte(content))
		w.Header().Set("X-Linked-Etag", `"`+hex.EncodeToString(sum[:])+`"`)
		w.Header().Set("X-Linked-Size", fmt.Sprint(len(content)))
		http.Redirect(w, r, h.Storage.URL+"/"+name+"/"+file+"?signature=secret", http.StatusFound)
		return
	}
	w.Header().Set("ETag", `W/"`+GitHash(content)+`"`)
	http.ServeContent(w, r, file, time.Time{}, strings.NewReader(content))
}

// Large reports whether a file is one of git LFS, whose ETag is its SHA-256.
func Large(file string) bool {
	return strings.HasSuffix(file, ".safetensors") || strings.HasSuffix(file, ".gguf") || strings.HasSuffix(file, ".parquet")
}

// GitHash is the ETag of a small file.
func GitHash(content string) string {
	sum := sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(content), content))
	return hex.EncodeToString(sum[:])
}

func (h *Hub) serveInfo(w http.ResponseWriter, path string) {
	name, revision, _ := strings.Cut(path, "/revision/")
	files, ok := h.Repos[name]
	if !ok {
		Error(w, http.StatusUnauthorized, "RepoNotFound") // what the hub says to strangers
		return
	}
	if revision, _ = url.PathUnescape(revision); !slices.Contains([]string{"main", "refs/pr/1", h.commit(name)}, revision) {
		Error(w, http.StatusNotFound, "RevisionNotFound")
		return
	}
	info := map[string]any{"id": strings.TrimPrefix(name, "models/"), "sha": h.commit(name), "siblings": []any{}}
	for file := range files {
		info["siblings"] = append(info["siblings"].([]any), map[string]string{"rfilename": file})
	}
	_ = json.NewEncoder(w).Encode(info)
}

// serveStorage is the storage behind the hub: it refuses requests that carry a token of the hub.
func (h *Hub) serveStorage(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "" {
		h.t.Errorf("the token went to the storage: %s", r.URL)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	for name, files := range h.Repos {
		if file, ok := strings.CutPrefix(r.URL.Path, "/"+name+"/"); ok {
			http.ServeContent(w, r, file, time.Time{}, strings.NewReader(files[file]))
		}
	}
}
