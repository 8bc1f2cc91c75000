package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// Pauses between two reports of progress: a line that is drawn over on a terminal, lines of a log elsewhere.
const (
	terminalPause = 100 * time.Millisecond
	logPause      = 5 * time.Second
	notableWork   = time.Second // shorter stages leave no line behind
)

// progress reports how far work has come, with its rate and the time that is left. It may be used from
// several goroutines; a nil one is silent.
type progress struct {
	mu       sync.Mutex
	w        io.Writer
	terminal bool
	amount   func(int64) string // formats done, total and rate
	now      func() time.Time

	stage       string
	started     time.Time
	shown       time.Time // when the last line was written
	before      int64     // done by an earlier process
	done, total int64
}

// newProgress reports on w, amounts in the given format: count or size.
func newProgress(w io.Writer, amount func(int64) string) *progress {
	f, ok := w.(*os.File)
	return &progress{w: w, terminal: ok && term.IsTerminal(int(f.Fd())), amount: amount, now: time.Now}
}

// report says that done of total is done in a stage; total is 0 where it is not known. A new name of the
// stage, or less done than before, ends the one before.
func (p *progress) report(stage string, done, total int64) { p.reportAfter(stage, 0, done, total) }

// reportAfter is report for a stage of which an earlier process did a part, before: it took no time here.
func (p *progress) reportAfter(stage string, before, done, total int64) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if stage != p.stage || done < p.done || p.started.IsZero() {
		p.end()
		p.stage, p.started, p.shown = stage, p.now(), p.now()
	}
	p.before, p.done, p.total = before, done, total
	pause := logPause
	if p.terminal {
		pause = terminalPause
	}
	if p.now().Sub(p.shown) >= pause {
		p.shown = p.now()
		p.write(p.line(), "\n")
	}
}

// count reports in the signature that the packages below use for texts.
func (p *progress) count(stage string, done, total int) { p.report(stage, int64(done), int64(total)) }

// note writes a line of its own, such as a warning.
func (p *progress) note(line string) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	fmt.Fprintln(p.w, line)
}

// finish ends the last stage.
func (p *progress) finish() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end()
}

// end replaces the line of the current stage by what it came to.
func (p *progress) end() {
	if p.started.IsZero() {
		return
	}
	p.clear()
	if took := p.now().Sub(p.started); took >= notableWork {
		fmt.Fprintf(p.w, "%s: %s in %s%s\n", p.stage, p.amount(p.done-p.before), clock(took), p.rate(took))
	}
	p.started = time.Time{}
}

// line is the state of the current stage.
func (p *progress) line() string {
	took := p.now().Sub(p.started)
	if p.total <= 0 {
		return fmt.Sprintf("%s: %s%s", p.stage, p.amount(p.done), p.rate(took))
	}
	line := fmt.Sprintf("%s: %s of %s, %d %%%s", p.stage, p.amount(p.done), p.amount(p.total), 100*p.done/p.total, p.rate(took))
	if p.done > p.before && p.done < p.total {
		left := time.Duration(float64(took) / float64(p.done-p.before) * float64(p.total-p.done))
		line += ", " + clock(left) + " left"
	}
	return line
}

func (p *progress) rate(took time.Duration) string {
	perSecond := int64(float64(p.done-p.before) / max(took.Seconds(), 1e-3))
	if perSecond < 1 {
		return "" // nothing yet, or too slow for whole numbers
	}
	return ", " + p.amount(perSecond) + "/s"
}

// write puts a line over the last one on a terminal, below it elsewhere.
func (p *progress) write(line, end string) {
	if p.terminal {
		p.clear()
		end = ""
	}
	fmt.Fprint(p.w, line, end)
}

// clear empties the terminal's line.
func (p *progress) clear() {
	if p.terminal {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// count formats a number of things, thousands apart.
func count(n int64) string {
	digits := fmt.Sprint(n)
	var out strings.Builder
	for i, digit := range digits {
		if i > 0 && digit != '-' && (len(digits)-i)%3 == 0 && digits[i-1] != '-' {
			out.WriteByte(',')
		}
		out.WriteRune(digit)
	}
	return out.String()
}

// size formats a number of bytes.
func size(n int64) string {
	units := []string{"B", "kB", "MB", "GB", "TB"}
	x := float64(n)
	for i, unit := range units {
		switch {
		case i == 0 && x < 1000:
			return fmt.Sprintf("%d B", n)
		case x < 999.95 || i == len(units)-1:
			return fmt.Sprintf("%.1f %s", x, unit)
		}
		x /= 1000
	}
	return ""
}

// clock formats a duration as 0:05, 12:34 or 1:02:03.
func clock(d time.Duration) string {
	seconds := int64(d.Round(time.Second).Seconds())
	if seconds < 3600 {
		return fmt.Sprintf("%d:%02d", seconds/60, seconds%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", seconds/3600, seconds/60%60, seconds%60)
}
