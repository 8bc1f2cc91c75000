package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"revela/internal/atomicfile"
)

// RepoType is a kind of repository on the hub.
type RepoType string

// The kinds of repositories that can be downloaded.
const (
	ModelRepo   RepoType = "model"
	DatasetRepo RepoType = "dataset"
)

const defaultHub = "https://huggingface.co"

// repo is a repository of the hub.
type repo struct {
	kind RepoType
	id   string
}

// path returns the repository's part of an address: "models/id" for the API, "id" or "datasets/id" for files.
func (p repo) apiPath() string { return string(p.kind) + "s/" + p.id }

func (p repo) filePath() string {
	if p.kind == ModelRepo {
		return p.id
	}
	return p.apiPath()
}

// folder returns the name of the repository's folder in the cache.
func (p repo) folder() string {
	return string(p.kind) + "s--" + strings.ReplaceAll(p.id, "/", "--")
}

// hub is the HuggingFace hub and its cache on this machine, as Python's huggingface_hub is set up by the environment.
// The cache's layout is shared with it:
//
//	models--org--name/refs/main                     the commit of a branch or tag
//	models--org--name/blobs/<etag>                  the content of files
//	models--org--name/snapshots/<commit>/<file>     relative symbolic links to blobs
type hub struct {
	endpoint string
	cache    string
	token    string
	offline  bool
	fetch    *fetcher
}

func (r *Resolver) hub() (*hub, error) {
	home := r.env("HF_HOME")
	if home == "" {
		cache, err := r.cacheDir()
		if err != nil {
			return nil, fmt.Errorf("find the hub's cache: %w", err)
		}
		home = filepath.Join(cache, "huggingface")
	}
	h := &hub{
		endpoint: strings.TrimRight(r.env("HF_ENDPOINT"), "/"),
		cache:    r.env("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"),
		token:    strings.TrimSpace(r.env("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")),
		offline:  isTrue(r.env("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")),
		fetch:    r.fetcher(),
	}
	if h.endpoint == "" {
		h.endpoint = defaultHub
	}
	if h.cache == "" {
		h.cache = filepath.Join(home, "hub")
	}
	h.cache, home = r.expandHome(h.cache), r.expandHome(home)
	if h.token == "" {
		file := r.env("HF_TOKEN_PATH")
		if file == "" {
			file = filepath.Join(home, "token")
		}
		content, err := os.ReadFile(r.expandHome(file))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("read the hub's token: %w", err)
		}
		h.token = strings.TrimSpace(string(content))
	}
	return h, nil
}

// isTrue reads a flag of the environment as huggingface_hub does.
func isTrue(value string) bool {
	switch strings.ToUpper(value) {
	case "1", "ON", "YES", "TRUE":
		return true
	}
	return false
}

func (r *Resolver) expandHome(path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		return filepath.Join(r.env("HOME"), rest)
	}
	return path
}

// fetchRepo returns the snapshot of a repository with the wanted files in it. As in huggingface_hub the hub is asked
// for the list of files first, since what other programs left in the cache may lack some (a pooling configuration,
// say, whose absence nobody would notice); where the hub cannot be reached, the cache serves.
func (r *Resolver) fetchRepo(ctx context.Context, p repo, revision string, want selection) (string, error) {
	if revision == "" {
		revision = "main"
	}
	h, err := r.hub()
	if err != nil {
		return "", err
	}
	cached, cacheErr := h.cached(p, revision, want)
	if h.offline {
		if cacheErr != nil {
			return "", fmt.Errorf("%s: %w, and HF_HUB_OFFLINE is set: unset it, or name a local folder", describe(p, revision), cacheErr)
		}
		return cached, nil
	}
	dir, err := h.download(ctx, p, revision, want)
	var unreachable *unreachableError
	if errors.As(err, &unreachable) && cacheErr == nil && ctx.Err() == nil {
		return cached, nil
	}
	if err != nil {
		return "", fmt.Errorf("download %s: %w", describe(p, revision), err)
	}
	return dir, nil
}

func describe(p repo, revision string) string {
	name := p.id
	if p.kind != ModelRepo {
		name = string(p.kind) + " " + name
	}
	if revision != "main" {
		name += " at revision " + revision
	}
	return name
}

// cached returns the snapshot of a revision when the cache holds what is wanted.
func (h *hub) cached(p repo, revision string, want selection) (string, error) {
	folder := filepath.Join(h.cache, p.folder())
	commit := revision
	if content, err := os.ReadFile(filepath.Join(folder, "refs", revision)); err == nil {
		commit = strings.TrimSpace(string(content))
	}
	dir := filepath.Join(folder, "snapshots", commit)
	if !filepath.IsLocal(commit) || !exists(dir) {
		return "", fmt.Errorf("it is not in the hub's cache %s", h.cache)
	}
	if err := want.complete(dir); err != nil {
		return "", fmt.Errorf("it is incomplete in the hub's cache: %w", err)
	}
	return dir, nil
}

// download brings the wanted files of a revision into the cache and records the commit of a branch or tag.
func (h *hub) download(ctx context.Context, p repo, revision string, want selection) (string, error) {
	commit, files, err := h.repoInfo(ctx, p, revision)
	if err != nil {
		return "", err
	}
	if commitHash.MatchString(revision) && commit != revision {
		return "", fmt.Errorf("the hub answered with commit %s, expected %s", commit, revision)
	}
	folder := filepath.Join(h.cache, p.folder())
	dir := filepath.Join(folder, "snapshots", commit)
	fetch := func(file string) (string, error) {
		link := filepath.Join(dir, filepath.FromSlash(file))
		if exists(link) {
			return link, nil
		}
		if err := h.fetchFile(ctx, p, commit, file, folder, link); err != nil {
			return "", fmt.Errorf("%s: %w", file, err)
		}
		return link, nil
	}
	chosen, err := want.choose(files, fetch)
	if err != nil {
		return "", err
	}
	for _, file := range chosen {
		if _, err := fetch(file); err != nil {
			return "", err
		}
	}
	if revision != commit {
		if err := writeRef(filepath.Join(folder, "refs", revision), commit); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// writeRef records the commit of a branch or tag, without a newline as huggingface_hub does.
func writeRef(path, commit string) error {
	if content, err := os.ReadFile(path); err == nil && string(content) == commit {
		return nil
	}
	return atomicfile.WriteBytes(path, []byte(commit))
}

// fetchFile downloads one file into a blob named by its ETag and links it into the snapshot.
func (h *hub) fetchFile(ctx context.Context, p repo, commit, file, folder, link string) error {
	address := h.endpoint + "/" + p.filePath() + "/resolve/" + commit + "/" + escapePath(file)
	meta, err := h.fileMeta(ctx, address)
	if err != nil {
		return h.explain(p, commit, err)
	}
	blob := filepath.Join(folder, "blobs", meta.etag)
	if err := h.fetchBlob(ctx, p, address, file, meta, blob); err != nil {
		return h.explain(p, commit, err)
	}
	return linkBlob(blob, link)
}

// fetchBlob downloads a blob under the lock that huggingface_hub takes as well, so that two programs do not write
// the same file.
func (h *hub) fetchBlob(ctx context.Context, p repo, address, file string, meta fileMeta, blob string) error {
	unlock, err := lockFile(ctx, filepath.Join(h.cache, ".locks", p.folder(), meta.etag+".lock"))
	if err != nil {
		return err
	}
	defer unlock()
	if exists(blob) {
		return nil
	}
	return h.fetch.file(ctx, download{
		address: address, header: h.header(), name: file,
		partial: blob + ".incomplete", path: blob, size: meta.size, sha256: meta.sha256,
	})
}

// linkBlob makes the snapshot's relative link to a blob; an existing one is replaced.
func linkBlob(blob, link string) error {
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		return err
	}
	target, err := filepath.Rel(filepath.Dir(link), blob)
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(link), ".link.*.tmp") // others, in this process too, may make the same link
	if err != nil {
		return fmt.Errorf("link %s: %w", link, err)
	}
	defer os.RemoveAll(tmp)
	fresh := filepath.Join(tmp, "link")
	if err = os.Symlink(target, fresh); err == nil {
		err = os.Rename(fresh, link)
	}
	if err != nil {
		return fmt.Errorf("link %s: %w", link, err)
	}
	return nil
}

func removeIfExists(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// escapePath escapes a file's path for an address, slashes kept.
func escapePath(file string) string {
	parts := strings.Split(file, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}
