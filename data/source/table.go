package source

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"

	"revela/data/jsonl"
)

// table reads CSV and TSV whose first line names the columns.
type table struct {
	path    string
	rows    *csv.Reader
	columns columns
	file    io.Closer
	record  Record
	err     error
}

// columns are the numbers of the columns with id, title and text; −1 where there is none.
type columns struct{ id, title, text int }

func findColumns(names []string) (columns, error) {
	for i, name := range names {
		names[i] = strings.ToLower(strings.TrimSpace(name))
	}
	find := func(keys []string) int {
		for _, key := range keys {
			if at := slices.Index(names, key); at >= 0 {
				return at
			}
		}
		return -1
	}
	c := columns{find(idKeys), find(titleKeys), find(textKeys)}
	if c.text < 0 {
		return c, fmt.Errorf("columns are %s, expected one of %s", strings.Join(names, ", "), strings.Join(textKeys, ", "))
	}
	return c, nil
}

func openTable(path string, format Format, read *atomic.Int64) (Reader, error) {
	f, err := open(path, read)
	if err != nil {
		return nil, err
	}
	t := &table{path: path, rows: csv.NewReader(f), file: f}
	if format == TSV {
		t.rows.Comma, t.rows.LazyQuotes = '\t', true
	}
	t.rows.ReuseRecord = true
	header, err := t.rows.Read()
	if errors.Is(err, io.EOF) {
		err = errors.New("no line, expected one with the names of the columns")
	}
	if err == nil {
		header[0] = strings.TrimPrefix(header[0], "\ufeff")
		t.columns, err = findColumns(slices.Clone(header))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s:1: %w", path, plainCSV(err)), f.Close())
	}
	return t, nil
}

func (t *table) Next() bool {
	if t.err != nil {
		return false
	}
	row, err := t.rows.Read()
	if errors.Is(err, io.EOF) {
		return false
	}
	var wrong *csv.ParseError
	switch {
	case errors.As(err, &wrong):
		t.record = Record{Line: wrong.StartLine, Err: broken(t.path, wrong.Line, plainCSV(err))}
	case err != nil:
		t.err = fmt.Errorf("%s: %w", t.path, err)
		return false
	default:
		t.take(row)
	}
	return true
}

// take makes a record of a row.
func (t *table) take(row []string) {
	line, _ := t.rows.FieldPos(0)
	t.record = Record{Line: line}
	d := &Document{Text: strings.Clone(row[t.columns.text])}
	if t.columns.id >= 0 {
		d.ID = strings.Clone(row[t.columns.id])
	}
	if t.columns.title >= 0 {
		d.Title = strings.Clone(row[t.columns.title])
	}
	for _, cell := range []string{d.ID, d.Title, d.Text} {
		if err := jsonl.CheckUTF8([]byte(cell)); err != nil {
			t.record.Err = broken(t.path, line, err)
			return
		}
	}
	t.record.Fields = d
}

// plainCSV leaves out the place that is named elsewhere.
func plainCSV(err error) error {
	var wrong *csv.ParseError
	if errors.As(err, &wrong) {
		return wrong.Err
	}
	return err
}

func (t *table) Record() Record { return t.record }
func (t *table) Err() error     { return t.err }
func (t *table) Close() error   { return t.file.Close() }
