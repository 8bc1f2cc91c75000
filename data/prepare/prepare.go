package prepare

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"revela/data/jsonl"
)

// What is written beside the groups.
const (
	removedFile = "contaminated.jsonl"
	holdoutDir  = "holdout"
	tuningDir   = "tuning"
)

// Event is progress: files read, chunks indexed or grouped, groups written, or a broken record.
type Event struct {
	Stage          string // "read" | "index" | "group" | "write"
	Files          int    // read so far, of Of
	Of             int
	Units          int   // of the files read
	Bytes, OfBytes int64 // read from the disk, of all
	Done, Total    int   // chunks indexed, or grouped; with BM25 those that were looked at as seeds
	Groups         int   // written
	Broken         error
}

// Summary counts what was made of the inputs.
type Summary struct {
	Files        int            `json:"files"`
	Skipped      map[string]int `json:"skipped,omitempty"` // files in folders that are not read, by extension
	Documents    int            `json:"documents"`
	Broken       int            `json:"broken"`      // records passed over
	Short        int            `json:"short"`       // functions too short
	NoHeadings   int            `json:"no_headings"` // documents passed over where queries are headings
	Duplicates   int            `json:"duplicates"`
	Near         int            `json:"near_duplicates"`
	Contaminated int            `json:"contaminated"` // units that repeat an evaluation collection
	Units        int            `json:"units"`        // distinct
	Unpaired     int            `json:"unpaired"`     // training units without a good query, where groups have queries
	Copies       int            `json:"copies"`       // training units that share more than 60 % of their lines with held-out ones
	Asked        int            `json:"asked"`        // training units whose query is a held-out one
	LeftOver     int            `json:"left_over"`
	Trained      int            `json:"trained"` // units in groups
	Groups       int            `json:"groups"`
	Output       string         `json:"output"`
	Removed      string         `json:"removed,omitempty"` // file that lists the contaminated units
	Holdout      *Collection    `json:"holdout,omitempty"`
	Tuning       *Collection    `json:"tuning,omitempty"`
	Seconds      float64        `json:"seconds"`
}

// Collection describes a held-out collection.
type Collection struct {
	Dir       string `json:"dir"`
	Keys      int    `json:"keys"` // packages, folders or documents
	Documents int    `json:"documents"`
	Queries   int    `json:"queries"`
	InTexts   int    `json:"in_texts"` // queries dropped because an evaluated text holds them
}

// Run prepares groups and collections. It calls report, which may be nil, from this goroutine. Options that contradict
// each other, an input that cannot be read and, with Strict, a broken record are errors; outputs appear complete or
// not at all.
func Run(ctx context.Context, opt Options, report func(Event)) (Summary, error) {
	start := time.Now()
	if err := opt.validate(); err != nil {
		return Summary{}, err
	}
	if report == nil {
		report = func(Event) {}
	}
	if opt.Rank > 0 && opt.GroupBy != BM25 {
		return Summary{Output: opt.Output}, nil // the first process does it alone
	}
	opt, err := opt.join()
	if err != nil {
		return Summary{}, err
	}
	in, err := findInputs(opt)
	if err != nil {
		return Summary{}, err
	}
	evaluated, err := readEvaluated(opt.Decontaminate)
	if err != nil {
		return Summary{}, err
	}
	w, err := openWork(opt, in)
	if err != nil {
		return Summary{}, fmt.Errorf("prepare: %w", err)
	}
	p := &preparation{
		opt: opt, report: report, work: w,
		reader: &reader{opt: opt, files: in.files, report: report, work: w, evaluated: evaluated, total: in.bytes},
		sum:    Summary{Files: len(in.files), Skipped: in.skipped, Output: opt.Output},
	}
	if err := w.close(p.run(ctx)); err != nil {
		return Summary{}, fmt.Errorf("prepare: %w", err)
	}
	if err := opt.leave(ctx); err != nil {
		return Summary{}, fmt.Errorf("prepare: %w", err)
	}
	p.sum.Seconds = time.Since(start).Seconds()
	return p.sum, nil
}

// preparation is one run.
type preparation struct {
	opt    Options
	report func(Event)
	reader *reader
	work   *work
	split  *splitter
	guard  *guard
	sum    Summary
}

// run reads the inputs, and goes through their units up to three times: for families, for what is held out, and for
// training.
func (p *preparation) run(ctx context.Context) (err error) {
	if err := p.reader.read(ctx); err != nil {
		return err
	}
	if err := p.work.spool.seal(); err != nil {
		return err
	}
	count := p.reader.count
	p.sum.Documents, p.sum.Units, p.sum.Broken, p.sum.Short = count.Documents, count.Units, count.Broken, count.Short
	p.sum.Duplicates, p.sum.Near, p.sum.NoHeadings, p.sum.Contaminated = count.Duplicates, count.Near, count.NoHeadings, count.Contaminated
	if p.split, err = newSplitter(ctx, p.opt, p.work.spool); err != nil {
		return err
	}
	if p.opt.Holdout+p.opt.Tuning > 0 {
		if err := p.holdOut(ctx); err != nil {
			return err
		}
	}
	if len(p.opt.Decontaminate) > 0 {
		if err := p.writeRemoved(); err != nil {
			return err
		}
	}
	return p.writeGroups(ctx)
}

// removedUnit is a line of the list of contaminated units.
type removedUnit struct {
	ID      string `json:"_id"`
	File    string `json:"file"`
	Line    int    `json:"line"`
	Repeats string `json:"repeats"` // the query or document
}

// writeRemoved lists the contaminated units beside the groups.
func (p *preparation) writeRemoved() error {
	p.sum.Removed = filepath.Join(filepath.Dir(p.opt.Output), removedFile)
	return jsonl.Write(p.sum.Removed, func(put func(any) error) error {
		for i := range p.work.spool.Len() {
			u, err := p.work.spool.At(i)
			if err == nil && u.dropped && u.sentence != "" {
				err = put(removedUnit{u.id, u.file, u.line, u.sentence})
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// holdOut collects and writes the collections, and sets the guard against leaks.
func (p *preparation) holdOut(ctx context.Context) error {
	held, tune := &collection{}, &collection{}
	err := p.work.spool.each(ctx, func(u unit) error {
		switch p.split.side(u) {
		case heldOut:
			held.units = append(held.units, u)
		case tuning:
			tune.units = append(tune.units, u)
		}
		return nil
	})
	if err != nil {
		return err
	}
	minWords := p.opt.minQueryWords()
	held.chooseQueries(minWords, tune)
	tune.chooseQueries(minWords, held)
	p.guard = newGuard(held, tune)
	if p.sum.Holdout, err = p.writeCollection(holdoutDir, p.opt.Holdout, held); err != nil {
		return err
	}
	p.sum.Tuning, err = p.writeCollection(tuningDir, p.opt.Tuning, tune)
	return err
}

// writeCollection writes a collection beside the groups, if a share of the corpus is asked for.
func (p *preparation) writeCollection(name string, share float64, c *collection) (*Collection, error) {
	if share == 0 {
		return nil, nil
	}
	if len(c.queries) == 0 {
		return nil, fmt.Errorf("%s: %v of the corpus by %s keeps out %d texts without a usable query; expected more documents or a larger share",
			name, share, p.opt.HoldoutBy, len(c.units))
	}
	keys := map[string]bool{}
	for _, u := range c.units {
		keys[u.key(p.opt.HoldoutBy)] = true
	}
	dir := filepath.Join(filepath.Dir(p.opt.Output), name)
	if err := c.write(dir); err != nil {
		return nil, err
	}
	return &Collection{Dir: dir, Keys: len(keys), Documents: len(c.units), Queries: len(c.queries), InTexts: c.inTexts}, nil
}

// writeGroups groups and writes what is left for training.
func (p *preparation) writeGroups(ctx context.Context) error {
	return writeOutput(p.opt.Output, func(put func(groupLine) error) error {
		var numbers []int32 // of the units that are trained on, in the spool
		at := func(number int) (unit, error) { return p.work.spool.At(int(numbers[number])) }
		groups, err := newGrouping(p.opt, at, func(done, total int) { p.report(Event{Stage: "group", Done: done, Total: total}) })
		if err != nil {
			return err
		}
		emit := func(group []int) error { return p.writeGroup(ctx, group, at, put) }
		stage := "group"
		if p.opt.GroupBy == BM25 {
			stage = "index"
		}
		for i := range p.work.spool.Len() {
			if i%1024 == 0 {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				p.report(Event{Stage: stage, Done: i, Total: p.work.spool.Len()})
			}
			u, err := p.work.spool.At(i)
			if err == nil && !u.dropped && p.trainable(u) {
				numbers = append(numbers, int32(i))
				err = groups.add(u, emit)
			}
			if err != nil {
				return err
			}
		}
		p.report(Event{Stage: stage, Done: p.work.spool.Len(), Total: p.work.spool.Len()})
		if err := groups.flush(ctx, emit); err != nil {
			return err
		}
		if p.sum.Groups == 0 {
			return errors.New("no group came of the inputs, expected at least two texts that fit together")
		}
		return nil
	})
}

// writeGroup writes a group of units, which at returns.
func (p *preparation) writeGroup(ctx context.Context, group []int, at func(int) (unit, error), put func(groupLine) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(group) < 2 {
		p.sum.LeftOver += len(group)
		return nil
	}
	units := make([]unit, len(group))
	for i, number := range group {
		var err error
		if units[i], err = at(number); err != nil {
			return err
		}
	}
	p.sum.Groups++
	p.sum.Trained += len(group)
	p.report(Event{Stage: "write", Groups: p.sum.Groups})
	return put(newGroupLine(p.opt, units))
}

// trainable tells whether a unit may and can be trained on, and counts why not.
func (p *preparation) trainable(u unit) bool {
	if p.split.side(u) != training {
		return false
	}
	switch {
	case p.opt.Queries != NoQueries && !u.usable:
		p.sum.Unpaired++
	case p.guard != nil && p.guard.copies(u.text):
		p.sum.Copies++
	case p.guard != nil && p.guard.asksQuery(u):
		p.sum.Asked++
	default:
		return true
	}
	return false
}
