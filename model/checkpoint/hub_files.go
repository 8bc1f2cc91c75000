package checkpoint

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// Choose names the files of a repository that are wanted. read gives the path of a file of the repository on this machine,
// fetching it where it has to.
type Choose func(files []string, read func(file string) (localPath string, err error)) ([]string, error)

// DownloadFiles fetches chosen files of a repository of the hub into its cache, at a branch, tag or commit, and returns the
// snapshot's folder. A commit whose chosen files are all in the cache is not asked for again.
func (r *Resolver) DownloadFiles(ctx context.Context, id string, repoType RepoType, revision string, choose Choose) (dir string, err error) {
	if !repoID.MatchString(id) {
		return "", fmt.Errorf("download %q: expected a HuggingFace id such as org/name", id)
	}
	want := chosenFiles{choose}
	if commitHash.MatchString(revision) {
		h, err := r.hub()
		if err != nil {
			return "", err
		}
		if dir, err := h.cached(repo{repoType, id}, revision, want); err == nil {
			return dir, nil
		}
	}
	return r.fetchRepo(ctx, repo{repoType, id}, revision, want)
}

// chosenFiles is the selection of a Choose.
type chosenFiles struct{ of Choose }

func (c chosenFiles) choose(files []string, read func(string) (string, error)) ([]string, error) {
	return c.of(files, read)
}

// complete chooses among the files that the snapshot has. One of several shards tells how many there must be.
func (c chosenFiles) complete(dir string) error {
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err == nil && exists(path) {
			files = append(files, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		return err
	}
	chosen, err := c.of(files, func(file string) (string, error) { return filepath.Join(dir, file), nil })
	if err != nil {
		return err
	}
	for _, file := range chosen {
		for _, shard := range allShards(file) {
			if !slices.Contains(files, shard) {
				return fmt.Errorf("file %s is not there", shard)
			}
		}
	}
	return nil
}

var shardName = regexp.MustCompile(`^(.*-)(\d{5})(-of-(\d{5}).*)$`)

// allShards lists the files that a shard, such as corpus-00000-of-00003.parquet, belongs to; of another file itself.
func allShards(file string) []string {
	m := shardName.FindStringSubmatch(file)
	if m == nil {
		return []string{file}
	}
	n, _ := strconv.Atoi(m[4]) // five digits
	shards := []string{file}
	for i := range n {
		shards = append(shards, fmt.Sprintf("%s%05d%s", m[1], i, m[3]))
	}
	return shards
}

// VerifyFile checks a file of the hub's cache against the checksum that the hub gave it, which its blob is named by: SHA-256
// of large files, git's SHA-1 of the others. A file that does not lie in the cache has none.
func VerifyFile(path string) error {
	target, err := os.Readlink(path)
	if err != nil {
		return nil // not a link of a snapshot
	}
	if filepath.Base(filepath.Dir(target)) != "blobs" {
		return nil
	}
	return VerifyChecksum(path, filepath.Base(target))
}

var gitBlobHash = regexp.MustCompile(`^[0-9a-f]{40}$`)

// VerifyChecksum compares a file's content with its ETag on the hub. An ETag that is no such hash says nothing.
func VerifyChecksum(path, etag string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	found := ""
	switch {
	case sha256Hex.MatchString(etag):
		found, err = hashFile(f)
	case gitBlobHash.MatchString(etag):
		found, err = gitBlob(f)
	default:
		return nil
	}
	if err == nil && found != etag {
		err = fmt.Errorf("%s: checksum is %s, expected %s: the file was damaged or changed; remove it and fetch it again", path, found, etag)
	}
	return err
}

// gitBlob is git's hash of a file's content.
func gitBlob(f *os.File) (string, error) {
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	var h hash.Hash = sha1.New()
	fmt.Fprintf(h, "blob %d\x00", info.Size())
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
