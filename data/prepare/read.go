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

// cacheBytes is how much text is kept so that it need not be read again.
const cacheBytes = 256 << 20

// reader reads all inputs as units, as often as asked.
type reader struct {
	opt    Options
	inputs *inputs
	report func(Event) // nil after the first reading
	count  readCounts
	cache  []unit // of the first reading; nil where they are too many
}

// readCounts is what a reading met.
type readCounts struct {
	documents, units, broken, short, duplicates, notMarkdown int
	bytes                                                    int
}

// each hands every unit to yield: those of duplicate text left out, in the order of the inputs. Every call gives the
// same units; the first one reports progress and broken records.
func (r *reader) each(ctx context.Context, yield func(unit) error) error {
	if r.cache != nil {
		for _, u := range r.cache {
			if err := yield(u); err != nil {
				return err
			}
		}
		return nil
	}
	keep := r.report != nil && r.opt.Holdout+r.opt.Tuning > 0
	err := r.read(ctx, func(u unit) error {
		if keep && r.count.bytes <= cacheBytes {
			r.cache = append(r.cache, u)
		}
		return yield(u)
	})
	if err != nil || r.count.bytes > cacheBytes {
		r.cache = nil
	}
	r.report = nil
	return err
}

// read reads the files.
func (r *reader) read(ctx context.Context, yield func(unit) error) error {
	r.count = readCounts{}
	seen := duplicates{}
	distinct := func(u unit) error {
		if seen.seen(u.text) {
			r.count.duplicates++
			return nil
		}
		r.count.units++
		r.count.bytes += len(u.text) + len(u.whole) + len(u.query)
		return yield(u)
	}
	functions := functionReader{ids: map[string]int{}}
	for i, f := range r.inputs.files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := r.readFile(ctx, f, &functions, distinct); err != nil {
			return err
		}
		if r.report != nil {
			r.report(Event{Stage: "read", Files: i + 1, Of: len(r.inputs.files), Units: r.count.units})
		}
	}
	return nil
}

func (r *reader) readFile(ctx context.Context, f file, functions *functionReader, yield func(unit) error) error {
	if r.opt.Unit != Functions {
		return r.readDocuments(ctx, f, yield)
	}
	r.count.documents++
	return r.skipBroken(functions.read(f, yield, &r.count.short))
}

// skipBroken reports and counts a broken record, or returns it where records must be whole.
func (r *reader) skipBroken(err error) error {
	var record brokenRecord
	if !errors.As(err, &record) || r.opt.Strict {
		return err
	}
	r.count.broken++
	if r.report != nil {
		r.report(Event{Stage: "read", Broken: record.error})
	}
	return nil
}

// readDocuments cuts the documents of one file into units.
func (r *reader) readDocuments(ctx context.Context, f file, yield func(unit) error) error {
	if f.format != formatLines {
		d, err := readText(f)
		return r.take(d, err, yield)
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
		if err := r.take(d, err, yield); err != nil {
			return err
		}
	}
	return lines.Err()
}

// take cuts a document that was read without an error.
func (r *reader) take(d document, err error, yield func(unit) error) error {
	if err != nil {
		return r.skipBroken(err)
	}
	r.count.documents++
	if r.opt.Queries == Headings {
		if !d.markdown {
			r.count.notMarkdown++
			return nil
		}
		return d.sections(yield)
	}
	return d.units(r.opt.Queries == Titles, yield)
}
