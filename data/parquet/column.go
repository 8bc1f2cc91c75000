package parquet

import (
	"errors"
	"fmt"
	"strings"

	"github.com/parquet-go/parquet-go"
)

// column is a leaf of the schema with the place that reading has come to.
type column struct {
	name     string
	index    int // among the leaves
	list     bool
	defined  int // the definition level of a value that is there
	repeated int // for a list: the least definition level of an element, be it null

	pages  parquet.Pages
	page   parquet.Page
	values parquet.ValueReader
	buffer []parquet.Value
	at     int // of buffer
}

// bufferSize is how many values are taken from a page at a time.
const bufferSize = 256

// newColumn returns the column of a leaf, nil for lists of lists and types that this package does not read.
func newColumn(root, leaf *parquet.Column) *column {
	switch leaf.Type().Kind() {
	case parquet.Int96, parquet.FixedLenByteArray:
		return nil
	}
	c := &column{index: leaf.Index(), defined: leaf.MaxDefinitionLevel(), list: leaf.MaxRepetitionLevel() == 1}
	if leaf.MaxRepetitionLevel() > 1 {
		return nil
	}
	var name []string
	node, below := root, false
	for _, part := range leaf.Path() {
		if node = node.Column(part); node == nil {
			return nil
		}
		if node.Repeated() {
			c.repeated, below = node.MaxDefinitionLevel(), true
		}
		name = append(name, part)
	}
	if below {
		name = listName(root, leaf.Path())
	}
	c.name = strings.Join(name, ".")
	return c
}

// listName is the path of the list that a leaf is an element of: up to the group around the repeated node (the three
// levels of the standard: texts.list.element), or the repeated node itself (the older two levels).
func listName(root *parquet.Column, path []string) []string {
	node := root
	for i, part := range path {
		parent := node
		if node = node.Column(part); !node.Repeated() {
			continue
		}
		if i > 0 && len(parent.Columns()) == 1 && parent != root {
			rest := path[i+1:]
			if len(rest) > 0 {
				rest = rest[1:] // the element's own name, whatever the writer called it
			}
			return append(append([]string{}, path[:i]...), rest...)
		}
		return path
	}
	return path
}

// open goes to a row of a column chunk.
func (c *column) open(chunk parquet.ColumnChunk, row int64) error {
	c.close()
	c.pages = chunk.Pages()
	if row == 0 {
		return nil
	}
	return c.pages.SeekToRow(row)
}

func (c *column) close() {
	c.release()
	if c.pages != nil {
		c.pages.Close() // a reader of a part of the file, which stays open
		c.pages = nil
	}
}

func (c *column) release() {
	if c.page != nil {
		parquet.Release(c.page)
	}
	c.page, c.values, c.buffer, c.at = nil, nil, c.buffer[:0], 0
}

// peek returns the next value without taking it; false at the end of the chunk.
func (c *column) peek() (value parquet.Value, ok bool, err error) {
	for c.at == len(c.buffer) {
		if more, err := c.fill(); err != nil || !more {
			return parquet.Value{}, false, err
		}
	}
	return c.buffer[c.at], true, nil
}

// fill reads values of the present page, or goes to the next one; false at the end of the chunk.
func (c *column) fill() (bool, error) {
	if c.values == nil {
		page, err := c.pages.ReadPage()
		if isEnd(err) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		c.page, c.values = page, page.Values()
	}
	if cap(c.buffer) == 0 {
		c.buffer = make([]parquet.Value, bufferSize)
	}
	n, err := c.values.ReadValues(c.buffer[:bufferSize])
	c.buffer, c.at = c.buffer[:n], 0
	switch {
	case err != nil && !isEnd(err):
		return false, err
	case n == 0:
		c.release()
	}
	return true, nil
}

// next returns the value of the next row.
func (c *column) next() (any, error) {
	value, ok, err := c.peek()
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errShort
	}
	if !c.list {
		c.at++
		if value.DefinitionLevel() < c.defined {
			return nil, nil
		}
		return plain(value)
	}
	if value.RepetitionLevel() != 0 {
		return nil, errors.New("a row begins inside a list")
	}
	return c.elements(value)
}

// elements returns the list that begins with a value: nil where there is none, empty where it has no elements.
func (c *column) elements(value parquet.Value) (any, error) {
	if value.DefinitionLevel() < c.repeated {
		c.at++
		if value.DefinitionLevel() == c.repeated-1 {
			return []any{}, nil
		}
		return nil, nil
	}
	list := []any{}
	for first := true; first || value.RepetitionLevel() > 0; first = false {
		c.at++
		var element any
		if value.DefinitionLevel() == c.defined {
			var err error
			if element, err = plain(value); err != nil {
				return nil, err
			}
		}
		list = append(list, element)
		var ok bool
		var err error
		if value, ok, err = c.peek(); err != nil {
			return nil, err
		} else if !ok {
			break
		}
	}
	return list, nil
}

// plain returns a value as one of Go's own types, copied out of the page.
func plain(value parquet.Value) (any, error) {
	switch value.Kind() {
	case parquet.ByteArray:
		return string(value.ByteArray()), nil
	case parquet.Int32:
		return int64(value.Int32()), nil
	case parquet.Int64:
		return value.Int64(), nil
	case parquet.Float:
		return float64(value.Float()), nil
	case parquet.Double:
		return value.Double(), nil
	case parquet.Boolean:
		return value.Boolean(), nil
	}
	return nil, fmt.Errorf("a value of kind %v, which is not read", value.Kind())
}
