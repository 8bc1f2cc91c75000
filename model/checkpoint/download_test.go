package checkpoint

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// cutter answers a GET of a large file with its first n bytes and then drops the connection, as often as told.
type cutter struct {
	bytes, times int
}

func (c *cutter) cut(h *fakeHub) func(w http.ResponseWriter, r *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		content, ok := h.Repos["models/org/name"][strings.TrimPrefix(r.URL.Path, "/models/org/name/")]
		if !ok || c.times == 0 {
			return false
		}
		c.times--
		var from int
		_, _ = fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
		w.Header().Set("Content-Length", fmt.Sprint(len(content)-from))
		if from > 0 {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(content)-1, len(content)))
			w.WriteHeader(http.StatusPartialContent)
		}
		_, _ = w.Write([]byte(content[from:min(from+c.bytes, len(content))]))
		return true // fewer bytes than announced: net/http closes the connection
	}
}

func bigModel() map[string]string {
	return map[string]string{"config.json": "{}", weightsFile: strings.Repeat("0123456789abcdef", 1<<12)}
}

// quick is a resolver's fetcher without pauses, for tests that count attempts.
func quick(r *Resolver) *fetcher {
	f := r.fetcher()
	f.pause, f.answer, f.stall = time.Millisecond, 200*time.Millisecond, 200*time.Millisecond
	return f
}

func TestBrokenConnectionIsContinued(t *testing.T) {
	h := newFakeHub(t, map[string]map[string]string{"models/org/name": bigModel()})
	h.Fail = (&cutter{bytes: 1000, times: 2}).cut(h)
	r, _ := h.resolver()
	dir := resolve(t, r, "org/name", "")
	if content, err := os.ReadFile(filepath.Join(dir, weightsFile)); err != nil || string(content) != bigModel()[weightsFile] {
		t.Errorf("%d bytes, %v", len(content), err)
	}
	want := "[storage GET /models/org/name/model.safetensors storage GET /models/org/name/model.safetensors bytes=1000- storage GET /models/org/name/model.safetensors bytes=2000-]"
	if got := fmt.Sprint(h.Seen("storage GET")); got != want {
		t.Errorf("requests %s, want %s", got, want)
	}
}

// What an interrupted program left is continued by the next one.
func TestInterruptedDownloadIsContinued(t *testing.T) {
	h := newFakeHub(t, map[string]map[string]string{"models/org/name": bigModel()})
	r, cache := h.resolver()
	ctx, cancel := context.WithCancel(context.Background())
	r.Progress = func(file string, done, total int64) {
		if file == weightsFile && done > 0 {
			cancel()
		}
	}
	h.Fail = (&cutter{bytes: 5000, times: 1}).cut(h)
	if _, err := r.Resolve(ctx, "org/name", ""); err == nil {
		t.Fatal("it was not interrupted")
	}
	if left := incomplete(t, cache); len(left) != 1 {
		t.Fatalf("%v was left to continue from", left)
	}
	r.Progress = nil
	resolve(t, r, "org/name", "")
	if seen := h.Seen("storage GET /models/org/name/model.safetensors bytes=5000-"); len(seen) != 1 {
		t.Errorf("it was not continued: %v", h.Seen("storage"))
	}
	if left := incomplete(t, cache); len(left) != 0 {
		t.Errorf("%v was left behind", left)
	}
}

func incomplete(t *testing.T, cache string) []string {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(cache, "*", "blobs", "*.incomplete"))
	if err != nil {
		t.Fatal(err)
	}
	return left
}

func TestDamagedDownloadIsRefused(t *testing.T) {
	h := newFakeHub(t, map[string]map[string]string{"models/org/name": bigModel()})
	r, cache := h.resolver()
	damaged := strings.Replace(bigModel()[weightsFile], "a", "b", 1)
	h.Fail = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.URL.Path, "/models/") {
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader(damaged))
			return true
		}
		return false
	}
	_, err := r.Resolve(context.Background(), "org/name", "")
	wantError(t, err, "", "download org/name: model.safetensors: sha256 of model.safetensors is "+sumOf(damaged)+", expected "+
		sumOf(bigModel()[weightsFile])+": the download was damaged or changed and has been removed")
	if left := incomplete(t, cache); len(left) != 0 {
		t.Errorf("%v was left behind", left)
	}
	h.Fail = nil
	resolve(t, r, "org/name", "")
}

func TestTransfers(t *testing.T) {
	const content = "0123456789"
	cases := []struct {
		name    string
		have    string // of an earlier attempt
		size    int64
		serve   func(w http.ResponseWriter, r *http.Request, attempt int)
		want    string // the error, empty for success
		attempt int
	}{
		{name: "whole", size: 10, serve: plain(content), attempt: 1},
		{name: "unknown size", size: -1, serve: plain(content), attempt: 1},
		{name: "continued", have: "0123", size: 10, serve: plain(content), attempt: 1},
		{name: "complete already", have: content, size: 10, serve: plain(content), attempt: 0},
		{name: "server without ranges", have: "zzzz", size: 10, serve: func(w http.ResponseWriter, r *http.Request, _ int) {
			_, _ = w.Write([]byte(content))
		}, attempt: 1},
		{name: "more than there is", have: "01234567890000", size: 10, serve: plain(content), attempt: 2},
		{name: "busy", size: 10, serve: func(w http.ResponseWriter, r *http.Request, attempt int) {
			if attempt < 3 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			plain(content)(w, r, attempt)
		}, attempt: 3},
		{name: "always busy", size: 10, serve: func(w http.ResponseWriter, r *http.Request, _ int) {
			w.WriteHeader(http.StatusServiceUnavailable)
		}, want: "HOST cannot be reached (http://HOST/f answered HTTP 503 Service Unavailable): check the network and proxy, or name a local folder", attempt: 5},
		{name: "gone", size: 10, serve: func(w http.ResponseWriter, r *http.Request, _ int) { w.WriteHeader(http.StatusGone) },
			want: "http://HOST/f answered HTTP 410 Gone", attempt: 1},
		{name: "too long", size: 9, serve: plain(content), want: "server sent more than the 9 bytes announced", attempt: 1},
		{name: "silent", size: 10, serve: func(w http.ResponseWriter, r *http.Request, _ int) { <-r.Context().Done() },
			want: "HOST cannot be reached (no answer within 200ms): check the network and proxy, or name a local folder", attempt: 3},
		{name: "stalled", size: 10, serve: func(w http.ResponseWriter, r *http.Request, attempt int) {
			if attempt > 1 {
				plain(content)(w, r, attempt)
				return
			}
			_, _ = w.Write([]byte("0123"))
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, attempt: 2},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var attempts atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				c.serve(w, r, int(attempts.Add(1)))
			}))
			defer server.Close()
			dir := t.TempDir()
			path := filepath.Join(dir, "f")
			if c.have != "" {
				file(t, dir, "f.incomplete", []byte(c.have))
			}
			err := quick(new(Resolver)).file(context.Background(), download{address: server.URL + "/f?token=x", name: "f", partial: path + ".incomplete", path: path, size: c.size})
			if got := int(attempts.Load()); got != c.attempt {
				t.Errorf("%d requests, want %d", got, c.attempt)
			}
			if c.want != "" {
				host := strings.TrimPrefix(server.URL, "http://")
				wantError(t, err, host, strings.ReplaceAll(c.want, "HOST", "DIR"))
				return
			}
			if got, readErr := os.ReadFile(path); err != nil || readErr != nil || string(got) != content || exists(path+".incomplete") {
				t.Errorf("content %q, %v, %v", got, err, readErr)
			}
		})
	}
}

func plain(content string) func(w http.ResponseWriter, r *http.Request, attempt int) {
	return func(w http.ResponseWriter, r *http.Request, _ int) {
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(content))
	}
}

func TestReadOnlyCache(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere")
	}
	h := newFakeHub(t, map[string]map[string]string{"models/org/name": bigModel()})
	r, cache := h.resolver()
	if err := os.MkdirAll(cache, 0o555); err != nil {
		t.Fatal(err)
	}
	_, err := r.Resolve(context.Background(), "org/name", "")
	wantError(t, err, cache, "download org/name: config.json: mkdir DIR/.locks: permission denied")
}
