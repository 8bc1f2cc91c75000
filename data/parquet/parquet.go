// Package parquet reads Parquet files row by row, a page of each wanted column in memory at a time.
//
// Columns hold text, numbers, booleans or lists of these, as the HuggingFace hub's data sets do; a field of a struct is
// named by its path with dots. [Rows] visits a whole file, [Open] gives a [Reader] that can begin at any row. The pages
// are decoded by github.com/parquet-go/parquet-go; its panics on damaged files come back as errors.
package parquet

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"
)

// Rows calls visit for every row of the file with its number from 0 and the values of the named columns (nil: of all that
// can be read). The map is reused after visit returns. A value is a string, int64, float64, bool, []any of these, or nil
// where the row has none. Errors, visit's as well, name the file and the row.
func Rows(path string, columns []string, visit func(row int64, values map[string]any) error) error {
	r, err := Open(path, columns)
	if err != nil {
		return err
	}
	defer r.Close()
	for r.Next() {
		if err := visit(r.Row(), r.Values()); err != nil {
			return fmt.Errorf("%s: row %d: %w", path, r.Row(), err)
		}
	}
	return r.Err()
}

// Reader goes through the rows of a file.
type Reader struct {
	path    string
	file    *os.File
	groups  []parquet.RowGroup
	columns []*column
	group   int   // the index of the next row group
	left    int64 // rows of the present one that are not yet read
	row     int64
	values  map[string]any
	err     error
}

// Open opens a file at its first row. A column that the file does not have, or that cannot be read, is an error that names
// those it has; nil means all that can be read.
func Open(path string, columns []string) (r *Reader, err error) {
	defer recovered(path, &err)
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r = &Reader{path: path, file: f, row: -1, values: map[string]any{}}
	if err := r.open(columns); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return r, nil
}

func (r *Reader) open(columns []string) error {
	info, err := r.file.Stat()
	if err != nil {
		return err
	}
	file, err := parquet.OpenFile(r.file, info.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return fmt.Errorf("%s: not a Parquet file, or a damaged one: %w", r.path, err)
	}
	r.groups = file.RowGroups()
	known, names := readable(file.Root())
	if columns == nil {
		columns = names
	}
	for _, name := range columns {
		c, ok := known[name]
		if !ok {
			return fmt.Errorf("%s: no column %q of texts, numbers or lists of them, found: %s", r.path, name, strings.Join(names, ", "))
		}
		r.columns = append(r.columns, c)
	}
	return nil
}

// Columns returns the names of a file's columns that can be read, in the file's order.
func Columns(path string) (names []string, err error) {
	r, err := Open(path, nil)
	if err != nil {
		return nil, err
	}
	for _, c := range r.columns {
		names = append(names, c.name)
	}
	return names, r.Close()
}

// Len returns the number of rows, as the file's end says it.
func (r *Reader) Len() int64 {
	n := int64(0)
	for _, g := range r.groups {
		n += g.NumRows()
	}
	return n
}

// Next goes to the next row; false at the end of the file and after an error.
func (r *Reader) Next() bool {
	return r.err == nil && r.next()
}

func (r *Reader) next() (ok bool) {
	defer recovered(r.path, &r.err)
	for r.left == 0 && r.err == nil {
		if r.group == len(r.groups) {
			return false
		}
		r.enter(0)
	}
	if r.err != nil {
		return false
	}
	r.left--
	r.row++
	for _, c := range r.columns {
		value, err := c.next()
		if err != nil {
			r.err = fmt.Errorf("%s: row %d: column %q: %w", r.path, r.row, c.name, err)
			return false
		}
		r.values[c.name] = value
	}
	return true
}

// enter goes to a row of the next row group.
func (r *Reader) enter(row int64) {
	g := r.groups[r.group]
	r.group++
	r.left = g.NumRows() - row
	chunks := g.ColumnChunks()
	for _, c := range r.columns {
		if err := c.open(chunks[c.index], row); err != nil {
			r.err = fmt.Errorf("%s: column %q: %w", r.path, c.name, err)
			return
		}
	}
}

// SeekRow makes row, from 0, the one that Next goes to. Behind the last row there is none.
func (r *Reader) SeekRow(row int64) (err error) {
	defer recovered(r.path, &err)
	r.err, r.group, r.left, r.row = nil, 0, 0, row-1
	for _, g := range r.groups {
		if n := g.NumRows(); row >= n {
			row -= n
			r.group++
			continue
		}
		r.enter(row)
		return r.err
	}
	return nil
}

// Row returns the number of the present row, from 0.
func (r *Reader) Row() int64 { return r.row }

// Values returns the present row's values by column; see [Rows]. The map is reused by Next.
func (r *Reader) Values() map[string]any { return r.values }

// Err returns what ended the reading, nil at the end of the file.
func (r *Reader) Err() error { return r.err }

// Close closes the file.
func (r *Reader) Close() error {
	for _, c := range r.columns {
		c.close()
	}
	return r.file.Close()
}

// readable returns the columns that can be read, and their names in the file's order. A column below a list goes by the
// list's name.
func readable(root *parquet.Column) (map[string]*column, []string) {
	columns, names := map[string]*column{}, []string{}
	var walk func(node *parquet.Column)
	walk = func(node *parquet.Column) {
		for _, child := range node.Columns() {
			walk(child)
		}
		if !node.Leaf() {
			return
		}
		if c := newColumn(root, node); c != nil && !slices.Contains(names, c.name) {
			columns[c.name] = c
			names = append(names, c.name)
		}
	}
	walk(root)
	return columns, names
}

// recovered turns a panic of the decoder into an error.
func recovered(path string, err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%s: damaged Parquet file: %v", path, p)
	}
}

var errShort = errors.New("the column ends before its row group does")

// isEnd reports the regular end of a stream.
func isEnd(err error) bool { return errors.Is(err, io.EOF) }
