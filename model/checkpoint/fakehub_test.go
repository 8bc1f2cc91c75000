package checkpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"strings"
	"testing"

	"revela/internal/fakehub"
)

const commit = fakehub.Commit

// fakeHub is a hub with resolvers for it.
type fakeHub struct {
	*fakehub.Hub
	t *testing.T
}

func newFakeHub(t *testing.T, repos map[string]map[string]string) *fakeHub {
	return &fakeHub{fakehub.New(t, repos), t}
}

// resolver returns a resolver in an environment of its own: no variable of the machine reaches it.
func (h *fakeHub) resolver(env ...string) (r *Resolver, cache string) {
	home := h.t.TempDir()
	values := map[string]string{"HF_HOME": home, "HF_ENDPOINT": h.Server.URL + "/"}
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
