package source

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"revela/data/jsonl"
	"revela/data/parquet"
)

// rows reads the rows of a Parquet file that has a column of texts.
type rows struct {
	*parquet.Reader
	path    string
	names   [3]string // of the columns with id, title and text
	read    *atomic.Int64
	counted int64
	size    int64
}

func openParquet(path string, read *atomic.Int64) (Reader, error) {
	if TrimCompression(path) != path {
		return nil, fmt.Errorf("%s: Parquet compresses its own pages, expected a name in .parquet", path)
	}
	names, err := parquet.Columns(path)
	if err != nil {
		return nil, err
	}
	found, err := findColumns(append([]string{}, names...))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	r := &rows{path: path, read: read}
	var wanted []string
	for i, at := range []int{found.id, found.title, found.text} {
		if at >= 0 {
			r.names[i] = names[at]
			wanted = append(wanted, names[at])
		}
	}
	if info, err := os.Stat(path); err == nil {
		r.size = info.Size()
	}
	r.Reader, err = parquet.Open(path, wanted)
	return r, err
}

func (r *rows) Next() bool {
	ok := r.Reader.Next()
	if r.read != nil && r.Len() > 0 {
		at := r.size
		if ok {
			at = int64(float64(r.size) * float64(r.Row()+1) / float64(r.Len()))
		}
		r.read.Add(at - r.counted)
		r.counted = at
	}
	return ok
}

func (r *rows) Record() Record {
	values, line := r.Values(), int(r.Row()+1)
	d := &Document{}
	for i, to := range []*string{&d.ID, &d.Title, &d.Text} {
		value, err := cell(values[r.names[i]])
		if err == nil {
			err = jsonl.CheckUTF8([]byte(value))
		}
		if err != nil {
			return Record{Line: line, Err: broken(r.path, line, fmt.Errorf("column %s: %w", r.names[i], err))}
		}
		*to = value
	}
	if values[r.names[2]] == nil {
		return Record{Line: line, Err: broken(r.path, line, errors.New("column "+r.names[2]+" is null, expected a text"))}
	}
	return Record{Line: line, Fields: d}
}

// cell returns a value as text.
func cell(value any) (string, error) {
	switch value := value.(type) {
	case nil:
		return "", nil
	case string:
		return value, nil
	case []any:
		return "", errors.New("is a list, expected a text")
	default:
		return fmt.Sprint(value), nil
	}
}
