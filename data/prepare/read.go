package prepare

import (
	"context"
	"errors"

	"revela/data/jsonl"
)

// brokenRecord is an error that concerns one record alone.
type brokenRecord struct{ error }

func (b brokenRecord) Unwrap() error { return b.error }

func broken(err error) error { return brokenRecord{err} }

// reader reads all inputs as units.
type reader struct {
	opt    Options
	inputs *inputs
	report func(Event)
	count  readCounts
}

// readCounts is what one reading met.
type readCounts struct {
	documents, units, broken, short, duplicates int
}

// each hands every unit to yield: those of duplicate text left out, in the order of the inputs. Several calls give the
// same units; only the last one's counts stay, and with quiet broken records are not reported again.
func (r *reader) each(ctx context.Context, quiet bool, yield func(unit) error) error {
	r.count = readCounts{}
	seen := duplicates{}
	distinct := func(u unit) error {
		if seen.seen(u.text) {
			r.count.duplicates++
			return nil
		}
		r.count.units++
		return yield(u)
	}
	functions := functionReader{ids: map[string]int{}}
	for i, f := range r.inputs.files {
		if err := ctx.Err(); err != nil {
			return err
		}
		var err error
		if r.opt.Unit == Functions {
			r.count.documents++
			err = r.skipBroken(functions.read(f, distinct, &r.count.short), quiet)
		} else {
			err = r.readDocuments(ctx, f, quiet, distinct)
		}
		if err != nil {
			return err
		}
		r.report(Event{Stage: "read", Files: i + 1, Of: len(r.inputs.files), Units: r.count.units})
	}
	return nil
}

// skipBroken reports and counts a broken record, or returns it where records must be whole.
func (r *reader) skipBroken(err error, quiet bool) error {
	var record brokenRecord
	if !errors.As(err, &record) || r.opt.Strict {
		return err
	}
	r.count.broken++
	if !quiet {
		r.report(Event{Stage: "read", Broken: record.error})
	}
	return nil
}

// readDocuments cuts the documents of one file into units.
func (r *reader) readDocuments(ctx context.Context, f file, quiet bool, yield func(unit) error) error {
	if f.format != formatLines {
		d, err := readText(f)
		return r.take(d, err, quiet, yield)
	}
	lines, err := jsonl.Open(f.path)
	if err != nil {
		return err
	}
	defer lines.Close()
	for lines.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		d, err := readRecord(f, lines.Line())
		if err := r.take(d, err, quiet, yield); err != nil {
			return err
		}
	}
	return lines.Err()
}

// take cuts a document that was read without an error.
func (r *reader) take(d document, err error, quiet bool, yield func(unit) error) error {
	if err != nil {
		return r.skipBroken(err, quiet)
	}
	r.count.documents++
	return d.units(r.opt.Queries == Titles, yield)
}
