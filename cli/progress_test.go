package cli

import (
	"bytes"
	"testing"
	"time"

	"revela/train"
)

// newTestProgress has a clock that the test sets.
func newTestProgress(terminal bool) (*progress, *bytes.Buffer, *time.Time) {
	out, now := &bytes.Buffer{}, time.Unix(1000, 0)
	return &progress{w: out, terminal: terminal, amount: count, now: func() time.Time { return now }}, out, &now
}

func TestProgressInALog(t *testing.T) {
	p, out, now := newTestProgress(false)
	p.report("documents", 0, 4000)
	*now = now.Add(4 * time.Second)
	p.report("documents", 800, 4000) // too early for a line
	*now = now.Add(time.Second)
	p.report("documents", 1000, 4000)
	p.note("a.jsonl:3: skipped")
	*now = now.Add(10 * time.Second)
	p.report("documents", 4000, 4000)
	p.report("queries", 1, 0)
	*now = now.Add(5 * time.Second)
	p.report("queries", 10, 0)
	p.finish()
	p.finish() // a second end says nothing
	want := `documents: 1,000 of 4,000, 25 %, 200/s, 0:15 left
a.jsonl:3: skipped
documents: 4,000 of 4,000, 100 %, 266/s
documents: 4,000 in 0:15, 266/s
queries: 10, 2/s
queries: 10 in 0:05, 2/s
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}

// On a terminal a line is drawn over the last one, and work of less than a second leaves nothing behind.
func TestProgressOnATerminal(t *testing.T) {
	p, out, now := newTestProgress(true)
	p.report("files", 0, 10)
	*now = now.Add(200 * time.Millisecond)
	p.report("files", 5, 10)
	p.note("note")
	p.finish()
	want := "\r\x1b[Kfiles: 5 of 10, 50 %, 25/s, 0:00 left\r\x1b[Knote\n\r\x1b[K"
	if out.String() != want {
		t.Errorf("got %q, want %q", out, want)
	}
}

func TestSilentProgress(t *testing.T) {
	var p *progress
	p.report("files", 1, 2)
	p.note("x")
	p.finish()
}

func TestFormats(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", -12: "-12"} {
		if got := count(n); got != want {
			t.Errorf("count(%d) = %s, want %s", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 999_960: "1.0 MB", 12_345_678: "12.3 MB", 5e15: "5000.0 TB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %s, want %s", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "0:00", 59500 * time.Millisecond: "1:00", time.Hour + 62*time.Second: "1:01:02"} {
		if got := clock(d); got != want {
			t.Errorf("clock(%v) = %s, want %s", d, got, want)
		}
	}
}

// Steps before a resume count for what is done and to do, not for the rate.
func TestProgressAfterResume(t *testing.T) {
	p, out, now := newTestProgress(false)
	step := countSteps(p)
	step(train.Metrics{Step: 101}, 200)
	*now = now.Add(10 * time.Second)
	step(train.Metrics{Step: 120}, 200)
	p.finish()
	want := "steps: 120 of 200, 60 %, 2/s, 0:40 left\nsteps: 20 in 0:10, 2/s\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}
