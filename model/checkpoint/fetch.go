package checkpoint

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	userAgent     = "revela"
	maxRedirects  = 10
	maxPage       = 64 << 20 // bytes of an API answer or index page
	answerTimeout = 10 * time.Second
	stallTimeout  = 30 * time.Second
)

// fetcher does HTTP requests that are retried, that never wait without end, and that do not carry credentials from
// one host to another.
type fetcher struct {
	client   *http.Client
	progress Progress
	attempts int           // tries in a row without any progress before it gives up
	pause    time.Duration // before the first retry; doubled for each further one
	answer   time.Duration // longest wait for the head of an answer
	stall    time.Duration // longest wait for the next bytes of a body
}

func (r *Resolver) fetcher() *fetcher {
	client := &http.Client{}
	if r.Client != nil {
		*client = *r.Client
	}
	client.CheckRedirect = guardRedirect
	return &fetcher{client: client, progress: r.report, attempts: 5, pause: time.Second / 2, answer: answerTimeout, stall: stallTimeout}
}

// guardRedirect drops credentials when a redirect leaves the host. net/http by itself keeps them for subdomains and
// other ports, and storage behind the hub refuses requests that carry a foreign token.
func guardRedirect(req *http.Request, via []*http.Request) error {
	if len(via) >= maxRedirects {
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	if !sameOrigin(req.URL, via[0].URL) {
		req.Header.Del("Authorization")
		req.Header.Del("Cookie")
	}
	return nil
}

func sameOrigin(a, b *url.URL) bool { return a.Scheme == b.Scheme && a.Host == b.Host }

// statusError is an answer with another HTTP status than was asked for.
type statusError struct {
	address string
	code    int
	header  http.Header
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%s answered HTTP %d %s", e.address, e.code, http.StatusText(e.code))
}

// temporary reports whether the same request may succeed later.
func (e *statusError) temporary() bool {
	return e.code == http.StatusTooManyRequests || e.code == http.StatusRequestTimeout || e.code >= 500
}

// unreachableError is a server that did not answer, or not in a usable way, after all retries.
type unreachableError struct {
	host string
	err  error
}

func (e *unreachableError) Error() string {
	return fmt.Sprintf("%s cannot be reached (%v): check the network and proxy, or name a local folder", e.host, e.err)
}

func (e *unreachableError) Unwrap() error { return e.err }

// head asks for the head of a file. A redirect to another host is returned as it is.
func (f *fetcher) head(ctx context.Context, address string, header http.Header) (resp *http.Response, err error) {
	err = f.retry(ctx, address, func() (bool, error) {
		resp, err = f.headOnce(ctx, address, header)
		return false, err
	})
	return resp, err
}

func (f *fetcher) headOnce(ctx context.Context, address string, header http.Header) (*http.Response, error) {
	client := *f.client
	client.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if !sameOrigin(req.URL, via[0].URL) {
			return http.ErrUseLastResponse
		}
		return guardRedirect(req, via)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	resp, err := f.send(ctx, cancel, &client, http.MethodHead, address, header)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 400 {
		err = &statusError{redact(address), resp.StatusCode, resp.Header}
	}
	return resp, errors.Join(err, resp.Body.Close())
}

// bytes fetches a small document.
func (f *fetcher) bytes(ctx context.Context, address string, header http.Header) (body []byte, err error) {
	body, _, err = f.document(ctx, address, header)
	return body, err
}

// document fetches a small document and the head of its answer.
func (f *fetcher) document(ctx context.Context, address string, header http.Header) (body []byte, resp *http.Response, err error) {
	err = f.retry(ctx, address, func() (bool, error) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		resp, err = f.send(ctx, cancel, f.client, http.MethodGet, address, header)
		if err != nil {
			return false, err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return false, &statusError{redact(address), resp.StatusCode, resp.Header}
		}
		watched := &watchedReader{r: resp.Body, limit: f.stall, cancel: cancel}
		body, err = io.ReadAll(io.LimitReader(watched, maxPage))
		return false, err
	})
	return body, resp, err
}

// send does one request; no answer within the time limit is an error. cancel ends ctx.
func (f *fetcher) send(ctx context.Context, cancel func(), client *http.Client, method, address string, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return nil, fmt.Errorf("bad address %q", redact(address))
	}
	maps.Copy(req.Header, header)
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("Accept-Encoding", "identity") // else sizes and ranges are those of the compressed form
	timer := time.AfterFunc(f.answer, cancel)
	resp, err := client.Do(req)
	if !timer.Stop() && err != nil {
		return nil, fmt.Errorf("%w within %v", errNoAnswer, f.answer)
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // the address may hold credentials
	}
	return resp, err
}

// errNoAnswer is a server that took a connection, or did not refuse it, and then kept silent.
var errNoAnswer = errors.New("no answer")

// retry calls try until it succeeds, fails for good, or fails too often in a row without any progress.
func (f *fetcher) retry(ctx context.Context, address string, try func() (progress bool, err error)) error {
	moved := false
	for failures := 0; ; {
		progress, err := try()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil || isFinal(err):
			return err
		}
		if progress {
			failures, moved = 0, true
		}
		failures++
		if errors.Is(err, errNoAnswer) {
			failures++ // this one has waited long enough already
		}
		if failures >= f.attempts || !moved && isUnreachable(err) {
			return &unreachableError{hostOf(address), err}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(f.pause << (failures - 1)):
		}
	}
}

// isFinal reports errors that the same request would meet again.
func isFinal(err error) bool {
	var status *statusError
	var local *localError
	return errors.As(err, &local) || errors.As(err, &status) && !status.temporary()
}

// isUnreachable reports that no connection came about: the name is unknown, the connection is refused, there is no
// network, or the server's certificate is not trusted.
func isUnreachable(err error) bool {
	var op *net.OpError
	var certificate *tls.CertificateVerificationError
	return errors.As(err, &op) && op.Op == "dial" || errors.As(err, &certificate)
}

// localError is a failure on this machine, which no retry mends.
type localError struct{ err error }

func (e *localError) Error() string { return e.err.Error() }
func (e *localError) Unwrap() error { return e.err }

// watchedReader ends a transfer that does not move: it cancels the request when a read takes too long.
type watchedReader struct {
	r      io.Reader
	limit  time.Duration
	cancel func()
}

// Read implements io.Reader.
func (w *watchedReader) Read(p []byte) (int, error) {
	timer := time.AfterFunc(w.limit, w.cancel)
	n, err := w.r.Read(p)
	if !timer.Stop() && err != nil {
		err = fmt.Errorf("no data within %v", w.limit)
	}
	return n, err
}

// redact returns an address without password, query (which may hold a signature) and fragment.
func redact(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "(unreadable address)"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

func hostOf(address string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		return u.Host
	}
	return redact(address)
}
