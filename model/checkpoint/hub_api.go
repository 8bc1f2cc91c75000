package checkpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func (h *hub) header() http.Header {
	header := http.Header{}
	if h.token != "" {
		header.Set("Authorization", "Bearer "+h.token)
	}
	return header
}

var commitHash = regexp.MustCompile(`^[0-9a-f]{40}$`)

// repoInfo asks the hub for the commit of a revision and the files in it.
func (h *hub) repoInfo(ctx context.Context, p repo, revision string) (commit string, files []string, err error) {
	address := h.endpoint + "/api/" + p.apiPath() + "/revision/" + url.PathEscape(revision)
	body, err := h.fetch.bytes(ctx, address, h.header())
	if err != nil {
		return "", nil, h.explain(p, revision, err)
	}
	var info struct {
		SHA      string `json:"sha"`
		Siblings []struct {
			Name string `json:"rfilename"`
		} `json:"siblings"`
	}
	if err := json.Unmarshal(body, &info); err != nil || !commitHash.MatchString(info.SHA) {
		return "", nil, fmt.Errorf("%s did not answer as the hub does: found %s, expected a JSON object with sha and siblings",
			redact(address), abbreviate(body))
	}
	for _, s := range info.Siblings {
		if !filepath.IsLocal(s.Name) {
			return "", nil, fmt.Errorf("%s lists file %q, expected a path inside the repository", redact(address), s.Name)
		}
		files = append(files, s.Name)
	}
	slices.Sort(files)
	return info.SHA, files, nil
}

// fileMeta is what the hub says of a file before it is downloaded.
type fileMeta struct {
	etag   string // names the blob
	size   int64  // -1 when not said
	sha256 string // of large files (LFS), whose ETag it is; empty for others, whose ETag is a git hash
}

var (
	sha256Hex = regexp.MustCompile(`^[0-9a-f]{64}$`)
	blobName  = regexp.MustCompile(`^[\w.+=-]{1,200}$`)
)

// fileMeta asks for a file's ETag and size. A large file is answered by a redirect to its storage whose X-Linked-Etag
// and X-Linked-Size describe the file behind it, so redirects are not followed, except those within the hub (a
// repository that was renamed).
func (h *hub) fileMeta(ctx context.Context, address string) (fileMeta, error) {
	resp, err := h.fetch.head(ctx, address, h.header())
	if err != nil {
		return fileMeta{}, err
	}
	meta := fileMeta{size: -1}
	linked := resp.Header.Get("X-Linked-Etag")
	meta.etag = normalizeETag(linked)
	if linked == "" {
		meta.etag = normalizeETag(resp.Header.Get("ETag"))
	}
	if meta.etag == "." || meta.etag == ".." || !blobName.MatchString(meta.etag) {
		return fileMeta{}, fmt.Errorf("%s has ETag %q, expected a hash", redact(address), meta.etag)
	}
	if sha256Hex.MatchString(meta.etag) {
		meta.sha256 = meta.etag
	}
	length := resp.Header.Get("X-Linked-Size")
	if length == "" && resp.StatusCode == http.StatusOK {
		length = resp.Header.Get("Content-Length")
	}
	if n, err := strconv.ParseInt(length, 10, 64); err == nil && n >= 0 {
		meta.size = n
	}
	return meta, nil
}

func normalizeETag(tag string) string {
	return strings.Trim(strings.TrimPrefix(tag, "W/"), `"`)
}

// explain turns an answer of the hub into what to do about it.
func (h *hub) explain(p repo, revision string, err error) error {
	var status *statusError
	if !errors.As(err, &status) {
		return err
	}
	page := h.endpoint + "/" + p.filePath()
	switch code := status.header.Get("X-Error-Code"); {
	case code == "RevisionNotFound":
		return fmt.Errorf("the repository has no branch, tag or commit %q", revision)
	case code == "EntryNotFound":
		return fmt.Errorf("the repository has no such file at revision %s", revision)
	case code == "GatedRepo", status.code == http.StatusForbidden:
		return fmt.Errorf("access is refused (HTTP %d): accept the terms at %s and %s", status.code, redact(page), h.tokenAdvice())
	case code == "RepoNotFound", status.code == http.StatusUnauthorized, status.code == http.StatusNotFound:
		return fmt.Errorf("no such repository, or it is private (HTTP %d): check the name, and for a private one %s", status.code, h.tokenAdvice())
	}
	return err
}

func (h *hub) tokenAdvice() string {
	if h.token == "" {
		return "set HF_TOKEN to a token that may read it (none is set)"
	}
	return "set HF_TOKEN to a token that may read it (the one in use may not)"
}
