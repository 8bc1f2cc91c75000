package tasks

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"revela/evaluate"
	"revela/model/checkpoint"
)

// mirrored looks for a task in a mirror: repositories of the hub by their id (as hf download --local-dir or git clone leave
// them, also below datasets/), a copy of the hub's cache, and folders in BEIR layout by the task's name (beir/scifact) or
// the name in BEIR's own archives (scifact).
func (t *Task) mirrored(mirror string, at Location) (source evaluate.Source, found bool, err error) {
	if !isFolder(mirror) {
		return evaluate.Source{}, false, fmt.Errorf("mirror %s: no such folder", mirror)
	}
	repository := filepath.FromSlash(at.Repository)
	for _, dir := range []string{
		filepath.Join(mirror, repository), filepath.Join(mirror, "datasets", repository),
		filepath.Join(mirror, "datasets--"+strings.ReplaceAll(at.Repository, "/", "--"), "snapshots", at.Revision),
	} {
		if isFolder(dir) {
			source, err = t.repository(dir, at)
			return source, true, err
		}
	}
	for _, name := range []string{t.Name, t.Folder} {
		if dir := filepath.Join(mirror, filepath.FromSlash(name)); name != "" && t.Layout == BEIR && isFolder(dir) {
			source, err = evaluate.Folder(dir, t.Split)
			source.Tolerant = true
			return source, true, err
		}
	}
	return evaluate.Source{}, false, nil
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// repository reads a repository of the hub that lies in a folder, once its revision and checksums are known to agree.
func (t *Task) repository(dir string, at Location) (evaluate.Source, error) {
	p, err := t.findIn(dir)
	if err != nil {
		return evaluate.Source{}, fmt.Errorf("%s: %w", dir, err)
	}
	if commit := gitCommit(dir); commit != "" && commit != at.Revision {
		return evaluate.Source{}, fmt.Errorf("%s is at revision %s, expected %s", dir, commit, at.Revision)
	}
	for _, file := range p.all() {
		if err := verifyCopy(dir, file, at.Revision); err != nil {
			return evaluate.Source{}, err
		}
	}
	return p.source(dir), nil
}

// findIn finds a task's files in a repository's folder.
func (t *Task) findIn(dir string) (parts, error) {
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != dir: // .git, .cache
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		name, err := filepath.Rel(dir, path)
		files = append(files, filepath.ToSlash(name))
		return err
	})
	if err != nil {
		return parts{}, err
	}
	return t.find(files, func(file string) (string, error) { return filepath.Join(dir, filepath.FromSlash(file)), nil })
}

// verifyCopy checks a file against what huggingface_hub notes of one that it downloads into a folder: a line each with the
// commit, the ETag and the time. In the hub's cache the file is a link to its checksum.
func verifyCopy(dir, file, revision string) error {
	path := filepath.Join(dir, filepath.FromSlash(file))
	content, err := os.ReadFile(filepath.Join(dir, ".cache", "huggingface", "download", filepath.FromSlash(file)+".metadata"))
	if errors.Is(err, fs.ErrNotExist) {
		return checkpoint.VerifyFile(path)
	}
	if err != nil {
		return err
	}
	lines := strings.Split(string(content), "\n")
	if len(lines) < 2 {
		return nil
	}
	if commit := strings.TrimSpace(lines[0]); commit != revision {
		return fmt.Errorf("%s is of revision %s, expected %s", path, commit, revision)
	}
	return checkpoint.VerifyChecksum(path, strings.TrimSpace(lines[1]))
}

// gitCommit is the commit that a clone stands at, "" where the folder is none.
func gitCommit(dir string) string {
	head, err := os.ReadFile(filepath.Join(dir, ".git", "HEAD"))
	if err != nil {
		return ""
	}
	commit := strings.TrimSpace(string(head))
	ref, isRef := strings.CutPrefix(commit, "ref: ")
	if !isRef {
		return commit
	}
	if content, err := os.ReadFile(filepath.Join(dir, ".git", filepath.FromSlash(ref))); err == nil {
		return strings.TrimSpace(string(content))
	}
	packed, err := os.ReadFile(filepath.Join(dir, ".git", "packed-refs"))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(packed)) {
		if hash, name, _ := strings.Cut(strings.TrimSpace(line), " "); name == ref {
			return hash
		}
	}
	return ""
}
