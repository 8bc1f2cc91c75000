package checkpoint

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeHub answers as the HuggingFace hub does: the API, small files itself with a git hash as ETag, safetensors and
// GGUF files by a redirect to storage on another host.
type fakeHub struct {
	t       *testing.T
	repos   map[string]map[string]string // "models/org/name" → file → content
	token   string                       // asked for when not empty
	fail    func(w http.ResponseWriter, r *http.Request) bool
	hub     *httptest.Server
	storage *httptest.Server

	mu       sync.Mutex
	requests []string // method, path and Range
}

func newFakeHub(t *testing.T, repos map[string]map[string]string) *fakeHub {
	h := &fakeHub{t: t, repos: repos}
	h.hub = httptest.NewServer(h.log("hub", h.serveHub))
	h.storage = httptest.NewServer(h.log("storage", h.serveStorage))
	t.Cleanup(h.hub.Close)
	t.Cleanup(h.storage.Close)
	return h
}

func (h *fakeHub) log(name string, serve http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.requests = append(h.requests, strings.TrimSpace(fmt.Sprint(name, " ", r.Method, " ", r.URL.EscapedPath(), " ", r.Header.Get("Range"))))
		h.mu.Unlock()
		if h.fail == nil || !h.fail(w, r) {
			serve(w, r)
		}
	})
}

// seen returns the requests that contain a text.
func (h *fakeHub) seen(text string) (found []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.requests {
		if strings.Contains(r, text) {
			found = append(found, r)
		}
	}
	return found
}

func hubError(w http.ResponseWriter, status int, code string) {
	w.Header().Set("X-Error-Code", code)
	w.WriteHeader(status)
}

func (h *fakeHub) serveHub(w http.ResponseWriter, r *http.Request) {
	if h.token != "" && r.Header.Get("Authorization") != "Bearer "+h.token {
		hubError(w, http.StatusUnauthorized, "GatedRepo")
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
	content, ok := h.repos[name][file]
	if !ok || revision != commit && revision != "main" {
		hubError(w, http.StatusNotFound, "EntryNotFound")
		return
	}
	w.Header().Set("X-Repo-Commit", commit)
	if large(file) {
		sum := sha256.Sum256([]byte(content))
		w.Header().Set("X-Linked-Etag", `"`+hex.EncodeToString(sum[:])+`"`)
		w.Header().Set("X-Linked-Size", fmt.Sprint(len(content)))
		http.Redirect(w, r, h.storage.URL+"/"+name+"/"+file+"?signature=secret", http.StatusFound)
		return
	}
	w.Header().Set("ETag", `W/"`+gitHash(content)+`"`)
	http.ServeContent(w, r, file, time.Time{}, strings.NewReader(content))
}

func large(file string) bool {
	return strings.HasSuffix(file, ".safetensors") || strings.HasSuffix(file, ".gguf") || strings.HasSuffix(file, ".parquet")
}

func gitHash(content string) string {
	sum := sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(content), content))
	return hex.EncodeToString(sum[:])
}

func (h *fakeHub) serveInfo(w http.ResponseWriter, path string) {
	name, revision, _ := strings.Cut(path, "/revision/")
	files, ok := h.repos[name]
	if !ok {
		hubError(w, http.StatusUnauthorized, "RepoNotFound") // what the hub says to strangers
		return
	}
	if revision, _ = url.PathUnescape(revision); !slices.Contains([]string{"main", "refs/pr/1", commit}, revision) {
		hubError(w, http.StatusNotFound, "RevisionNotFound")
		return
	}
	info := map[string]any{"id": strings.TrimPrefix(name, "models/"), "sha": commit, "siblings": []any{}}
	for file := range files {
		info["siblings"] = append(info["siblings"].([]any), map[string]string{"rfilename": file})
	}
	_ = json.NewEncoder(w).Encode(info)
}

// serveStorage is the storage behind the hub: it refuses requests that carry a token of the hub.
func (h *fakeHub) serveStorage(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "" {
		h.t.Errorf("the token went to the storage: %s", r.URL)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	for name, files := range h.repos {
		if file, ok := strings.CutPrefix(r.URL.Path, "/"+name+"/"); ok {
			http.ServeContent(w, r, file, time.Time{}, strings.NewReader(files[file]))
		}
	}
}

// resolver returns a resolver in an environment of its own: no variable of the machine reaches it.
func (h *fakeHub) resolver(env ...string) (r *Resolver, cache string) {
	home := h.t.TempDir()
	values := map[string]string{"HF_HOME": home, "HF_ENDPOINT": h.hub.URL + "/"}
	for _, pair := range env {
		key, value, _ := strings.Cut(pair, "=")
		values[key] = value
	}
	return &Resolver{Env: lookupIn(values)}, filepath.Join(values["HF_HOME"], "hub")
}

func lookupIn(values map[string]string) func(string) (string, bool) {
	return func(key string) (string, bool) { v, ok := values[key]; return v, ok }
}

func sumOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}
