package checkpoint

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// download is a file to fetch: into partial, which survives an interruption and is continued from, then checked and
// renamed to path.
type download struct {
	address       string
	header        http.Header
	name          string // for progress and messages
	partial, path string
	size          int64  // -1 when unknown
	sha256        string // hex, empty when unknown
}

// file downloads with resumption. What arrives damaged is removed and is an error.
func (f *fetcher) file(ctx context.Context, d download) error {
	if err := os.MkdirAll(filepath.Dir(d.path), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(d.partial, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return fmt.Errorf("create download: %w", err)
	}
	err = f.retry(ctx, d.address, func() (bool, error) { return f.transfer(ctx, d, out) })
	if err == nil {
		err = d.verify(out)
	}
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	if err := os.Rename(d.partial, d.path); err != nil {
		return fmt.Errorf("finish download: %w", err)
	}
	return nil
}

// transfer continues a download from what the file already has and reports whether anything arrived.
func (f *fetcher) transfer(ctx context.Context, d download, out *os.File) (progress bool, err error) {
	have, err := out.Seek(0, io.SeekEnd)
	if err != nil {
		return false, &localError{err}
	}
	if d.size >= 0 && have == d.size {
		return false, nil
	}
	header := http.Header{}
	maps.Copy(header, d.header)
	if have > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", have))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	resp, err := f.send(ctx, cancel, f.client, http.MethodGet, d.address, header)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	have, err = resume(resp, out, have)
	if err != nil {
		return false, err
	}
	total := d.size
	if total < 0 && resp.ContentLength >= 0 {
		total = have + resp.ContentLength
	}
	return f.copy(d, out, &watchedReader{resp.Body, f.stall, cancel}, have, total)
}

// resume prepares the file for an answer's body: behind what it has when the server continues there, from the
// beginning when the server sends everything or what the file has does not fit.
func resume(resp *http.Response, out *os.File, have int64) (int64, error) {
	switch {
	case resp.StatusCode == http.StatusPartialContent && rangeStart(resp) == have:
		return have, nil
	case resp.StatusCode == http.StatusOK:
	case resp.StatusCode == http.StatusPartialContent || resp.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		if err := out.Truncate(0); err != nil {
			return 0, &localError{err}
		}
		return 0, errors.New("server cannot continue the download; starting anew")
	default:
		return 0, &statusError{redact(resp.Request.URL.String()), resp.StatusCode, resp.Header}
	}
	if err := out.Truncate(0); err != nil {
		return 0, &localError{err}
	}
	if _, err := out.Seek(0, io.SeekStart); err != nil {
		return 0, &localError{err}
	}
	return 0, nil
}

// rangeStart returns where a partial answer begins, -1 when it does not say.
func rangeStart(resp *http.Response) int64 {
	spec, _ := strings.CutPrefix(resp.Header.Get("Content-Range"), "bytes ")
	start, _, _ := strings.Cut(spec, "-")
	n, err := strconv.ParseInt(start, 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// copy appends a body to the file, telling the progress; it ends in an error when the body is shorter or longer than
// total (where that is known).
func (f *fetcher) copy(d download, out *os.File, body io.Reader, done, total int64) (progress bool, err error) {
	buffer := make([]byte, 1<<20)
	f.progress(d.name, done, max(total, 0))
	for {
		n, err := body.Read(buffer)
		if _, werr := out.Write(buffer[:n]); werr != nil {
			return progress, &localError{werr}
		}
		if n > 0 {
			progress, done = true, done+int64(n)
			f.progress(d.name, done, max(total, 0))
		}
		switch {
		case err == io.EOF && (total < 0 || done == total):
			return progress, nil
		case err == io.EOF && done < total:
			return progress, fmt.Errorf("connection closed at byte %d of %d", done, total)
		case total >= 0 && done > total:
			return progress, d.discard(fmt.Errorf("server sent more than the %d bytes announced", total))
		case err != nil:
			return progress, err
		}
	}
}

// verify checks the length and the checksum of a finished download.
func (d download) verify(out *os.File) error {
	if d.sha256 == "" {
		return nil
	}
	found, err := hashFile(out)
	if err != nil {
		return err
	}
	if found != d.sha256 {
		return d.discard(fmt.Errorf("sha256 of %s is %s, expected %s: the download was damaged or changed and has been removed", d.name, found, d.sha256))
	}
	return nil
}

// discard removes the partial file, so that the next attempt starts anew, and returns err as final.
func (d download) discard(err error) error {
	return &localError{errors.Join(err, removeIfExists(d.partial))}
}

// hashFile returns the SHA-256 of a whole file in hex.
func hashFile(f *os.File) (string, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// lockFile takes an exclusive advisory lock, waiting for other processes, and returns what releases it.
func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil // closing releases
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), f.Close())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
