package prepare

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"revela/internal/atomicfile"
)

// saveEvery is how often reading can be continued from, when it is interrupted. What takes less leaves nothing behind.
var saveEvery = 10 * time.Second

// workDir is the folder beside the output in which an interrupted preparation can be continued.
func (o Options) workDir() string {
	return filepath.Join(filepath.Dir(o.Output), "."+filepath.Base(o.Output)+".partial")
}

// work is the folder of one preparation, with the spool and how far it has come.
type work struct {
	dir   string
	state state
	spool *spool
	saved time.Time
	kept  bool // a state is on the disk
}

// state is how far the reading has come.
type state struct {
	Version string     `json:"version"` // of what was read: options and files
	Spool   int64      `json:"spool"`   // bytes
	File    int        `json:"file"`    // files that are read
	Records int        `json:"records"` // read of the next file
	Count   readCounts `json:"count"`
	Done    bool       `json:"done"`
}

// openWork continues what is in the folder, if it is of the same options and files.
func openWork(opt Options, in *inputs) (*work, error) {
	w := &work{dir: opt.workDir(), saved: time.Now()}
	version, err := versionOf(opt, in)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(w.dir); err == nil {
		if err := opt.sweep(); err != nil {
			return nil, fmt.Errorf("remove what a killed run left: %w", err)
		}
	}
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		return nil, fmt.Errorf("create work folder: %w", err)
	}
	raw, err := os.ReadFile(w.file("state.json"))
	switch {
	case err == nil && json.Unmarshal(raw, &w.state) == nil && w.state.Version == version:
		w.kept = true
	case err == nil || errors.Is(err, fs.ErrNotExist):
		w.state = state{Version: version}
		if err := os.RemoveAll(w.file("state.json")); err != nil {
			return nil, fmt.Errorf("create work folder: %w", err)
		}
	default:
		return nil, fmt.Errorf("read work folder: %w", err)
	}
	if w.kept {
		if info, err := os.Stat(w.file("units")); err != nil || info.Size() < w.state.Spool {
			w.state, w.kept = state{Version: version}, false
		}
	}
	w.spool, err = openSpool(w.file("units"), w.state.Spool)
	return w, err
}

// sweep removes the unfinished outputs of a run that had no time to.
func (o Options) sweep() error {
	entries, err := os.ReadDir(filepath.Dir(o.Output))
	if err != nil {
		return err
	}
	for _, name := range []string{filepath.Base(o.Output), removedFile, holdoutDir, tuningDir} {
		for _, entry := range entries {
			if left := entry.Name(); strings.HasPrefix(left, "."+name+".") && strings.HasSuffix(left, ".tmp") {
				if err := os.RemoveAll(filepath.Join(filepath.Dir(o.Output), left)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (w *work) file(name string) string { return filepath.Join(w.dir, name) }

// save writes how far reading has come; force does so whatever the time.
func (w *work) save(now state, force bool) error {
	if !force && time.Since(w.saved) < saveEvery {
		return nil
	}
	if err := w.spool.flush(); err != nil {
		return err
	}
	if err := w.spool.file.Sync(); err != nil {
		return fmt.Errorf("write spool: %w", err)
	}
	now.Version, now.Spool = w.state.Version, w.spool.size
	raw, err := json.Marshal(now)
	if err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	if err := atomicfile.WriteBytes(w.file("state.json"), raw); err != nil {
		return err
	}
	w.state, w.saved, w.kept = now, time.Now(), true
	return nil
}

// close ends a preparation: without an error, or with nothing to continue, the folder goes.
func (w *work) close(failure error) error {
	err := w.spool.Close()
	if failure == nil || !w.kept {
		return errors.Join(failure, err, os.RemoveAll(w.dir))
	}
	if errors.Is(failure, syscall.ENOSPC) {
		failure = fmt.Errorf("%w; what was done so far is kept in %s: free space and run the same command again", failure, w.dir)
	}
	return errors.Join(failure, err)
}

// versionOf is a hash of all that determines what is read.
func versionOf(opt Options, in *inputs) (string, error) {
	hash := sha256.New()
	fmt.Fprintf(hash, "1 %q %q %v %q %q %d %q\n", opt.Unit, opt.Queries, opt.Strict, opt.dedup(), opt.Decontaminate, opt.MaxTokens, opt.Tokenizer)
	for _, f := range in.files {
		info, err := os.Stat(f.path)
		if err != nil {
			return "", fmt.Errorf("prepare.input: %w", err)
		}
		fmt.Fprintf(hash, "%q %q %d %d\n", f.path, f.relative, info.Size(), info.ModTime().UnixNano())
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
