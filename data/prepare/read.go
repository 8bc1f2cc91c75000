package prepare

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"revela/data/source"
)

// What a worker takes at a time, at least.
const (
	jobBytes   = 256 << 10
	jobRecords = 512
)

// readCounts is what a reading met.
type readCounts struct {
	Documents    int `json:"documents"`
	Units        int `json:"units"`
	Broken       int `json:"broken"`
	Short        int `json:"short"`
	Duplicates   int `json:"duplicates"`
	Near         int `json:"near"`
	Contaminated int `json:"contaminated"`
	NoHeadings   int `json:"no_headings"`
}

func (c *readCounts) add(d readCounts) {
	c.Documents += d.Documents
	c.Broken += d.Broken
	c.Short += d.Short
	c.NoHeadings += d.NoHeadings
}

// reader reads the inputs into the spool: one goroutine takes files apart into records, several cut them into units, and
// one takes these in the order of the inputs, so that the result is that of a single goroutine.
type reader struct {
	opt       Options
	files     []file
	report    func(Event)
	work      *work
	evaluated *evaluated // nil for none
	count     readCounts
	filter    filter
	bytes     atomic.Int64 // read from the disk
	total     int64
}

// job is a part of one file.
type job struct {
	file    int // its number
	records []source.Record
	last    bool  // of the file
	err     error // why there is none
	outcome chan outcome
}

// outcome is what a worker makes of a job.
type outcome struct {
	units  []cutUnit
	broken []error
	count  readCounts
	err    error
}

// cutUnit is a unit with what it is compared by.
type cutUnit struct {
	unit
	digest digest
	near   *signature // nil where near-duplicates may stay
}

// read reads what an earlier run has not; the units of that one are in the spool.
func (r *reader) read(ctx context.Context) error {
	r.filter = newFilter(r.opt)
	r.count = r.work.state.Count
	if err := r.work.spool.replay(r.filter.replay); err != nil {
		return err
	}
	if r.work.state.Done {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	threads := r.opt.threads()
	todo, inOrder := make(chan *job), make(chan *job, 2*threads)
	for range threads {
		running.Go(func() { r.cutAll(ctx, todo) })
	}
	running.Go(func() {
		defer close(todo)
		defer close(inOrder)
		r.split(ctx, func(j *job) bool {
			return send(ctx, inOrder, j) && send(ctx, todo, j)
		})
	})
	return r.takeAll(ctx, inOrder)
}

func send(ctx context.Context, to chan<- *job, j *job) bool {
	select {
	case to <- j:
		return true
	case <-ctx.Done():
		return false
	}
}

// takeAll puts the units of all jobs into the spool, in order.
func (r *reader) takeAll(ctx context.Context, inOrder <-chan *job) error {
	at := r.work.state
	for j := range inOrder {
		select {
		case got := <-j.outcome:
			if err := r.take(got); err != nil {
				return r.interrupted(at, err)
			}
		case <-ctx.Done():
			return r.interrupted(at, ctx.Err())
		}
		at.File, at.Records = j.file, at.Records+len(j.records)
		if j.last {
			at.File, at.Records = j.file+1, 0
		}
		at.Count = r.count
		if err := r.work.save(at, false); err != nil {
			return err
		}
		r.report(Event{Stage: "read", Files: at.File, Of: len(r.files), Units: r.count.Units, Bytes: r.bytes.Load(), OfBytes: r.total})
	}
	if err := ctx.Err(); err != nil {
		return r.interrupted(at, err)
	}
	at.Done = true
	return r.work.save(at, r.work.kept || r.opt.GroupBy == BM25 && r.count.Units >= keptUnits)
}

// interrupted saves what was read when the user interrupts, if that is worth while.
func (r *reader) interrupted(at state, err error) error {
	if !r.work.kept || !errors.Is(err, context.Canceled) {
		return err
	}
	return errors.Join(err, r.work.save(at, true))
}

// take puts the units of a job into the spool but for those that the filter holds back.
func (r *reader) take(got outcome) error {
	for _, broken := range got.broken {
		r.report(Event{Stage: "read", Broken: broken})
	}
	if got.err != nil {
		return got.err
	}
	r.count.add(got.count)
	for _, u := range got.units {
		keep, err := r.filter.keep(&u, r.work.spool, &r.count)
		if err != nil {
			return err
		}
		if !keep && !u.dropped {
			continue
		}
		if keep {
			r.count.Units++
		}
		if err := r.work.spool.add(u.unit); err != nil {
			return err
		}
	}
	return nil
}

// split takes the files apart; yield returns false to end it.
func (r *reader) split(ctx context.Context, yield func(*job) bool) {
	skip := r.work.state.Records
	for number := r.work.state.File; number < len(r.files); number++ {
		if ctx.Err() != nil || !r.splitFile(number, skip, yield) {
			return
		}
		skip = 0
	}
}

// splitFile takes one file apart, its first records left out.
func (r *reader) splitFile(number, skip int, yield func(*job) bool) bool {
	f := r.files[number]
	j := newJob(number)
	records, err := source.Open(f.path, f.format, &r.bytes)
	if err != nil {
		j.err = fmt.Errorf("read input: %w", err)
		return yield(j)
	}
	defer records.Close()
	bytes := 0
	for records.Next() {
		if skip > 0 {
			skip--
			continue
		}
		record := records.Record()
		if bytes += len(record.Raw); record.Fields != nil {
			bytes += len(record.Fields.Text)
		}
		if j.records = append(j.records, record); bytes >= jobBytes || len(j.records) == jobRecords {
			if !yield(j) {
				return false
			}
			j, bytes = newJob(number), 0
		}
	}
	if err := records.Err(); err != nil {
		j.err = fmt.Errorf("read input: %w", err)
	}
	j.last = true
	return yield(j)
}

func newJob(file int) *job { return &job{file: file, outcome: make(chan outcome, 1)} }

// cutAll does jobs until there are none.
func (r *reader) cutAll(ctx context.Context, todo <-chan *job) {
	c := &cutting{reader: r, cutter: cutter{r.opt}}
	for j := range todo {
		if ctx.Err() != nil {
			return
		}
		j.outcome <- c.cut(j)
	}
}
