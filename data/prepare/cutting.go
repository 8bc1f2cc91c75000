package prepare

import (
	"errors"

	"revela/data/source"
)

// cutting is one worker: it cuts records into units and computes what these are compared by.
type cutting struct {
	reader    *reader
	cutter    cutter
	functions functionReader
	buffer    []byte
}

// cut does a job.
func (c *cutting) cut(j *job) (r outcome) {
	f := c.reader.files[j.file]
	yield := func(u unit) error {
		r.units = append(r.units, c.compared(u))
		return nil
	}
	for _, record := range j.records {
		err := c.record(f, record, yield, &r.count)
		var broken source.Broken
		switch {
		case err == nil:
		case errors.As(err, &broken) && !c.reader.opt.Strict:
			r.count.Broken++
			r.broken = append(r.broken, broken.Err)
		default:
			r.err = err
			return r
		}
	}
	r.err = j.err
	return r
}

// record cuts one record.
func (c *cutting) record(f file, record source.Record, yield func(unit) error, count *readCounts) error {
	if c.reader.opt.Unit == Functions {
		count.Documents++
		return c.functions.read(f, yield, &count.Short)
	}
	parsed, ok, err := source.Parse(f.path, f.format, record)
	if err != nil || !ok {
		return err
	}
	count.Documents++
	d := newDocument(f, parsed)
	if c.reader.opt.Queries == Headings {
		if _, known := d.headingsOf(); !known {
			count.NoHeadings++
			return nil
		}
	}
	return c.cutter.cut(d, yield)
}

// compared computes what a unit is compared by. A unit that repeats an evaluation is marked as dropped.
func (c *cutting) compared(u unit) cutUnit {
	cut := cutUnit{unit: u, digest: plainDigest(u.text, &c.buffer)}
	if c.reader.evaluated != nil {
		if why := c.reader.evaluated.repeatedIn(u); why != "" {
			cut.unit = unit{id: u.id, name: u.name, pkg: u.pkg, file: u.file, line: u.line, sentence: why, dropped: true}
			return cut
		}
	}
	if c.reader.opt.Dedup == Near {
		cut.near = newSignature(shingles(u.text))
	}
	return cut
}
