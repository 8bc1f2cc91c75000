package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Value types of GGUF's key-value pairs (ggml's gguf.h).
const (
	ggufUint8 = iota
	ggufInt8
	ggufUint16
	ggufInt16
	ggufUint32
	ggufInt32
	ggufFloat32
	ggufBool
	ggufString
	ggufArray
	ggufUint64
	ggufInt64
	ggufFloat64
)

const (
	ggufMaxDims          = 4
	ggufDefaultAlignment = 32
)

// gguf is the header of a GGUF file, version 2 or 3, and the bytes behind it.
type gguf struct {
	path    string
	values  map[string]any // integers as int64 or uint64, floats as float64, arrays as []any
	tensors []ggufTensor
	data    []byte
}

type ggufTensor struct {
	name   string
	dims   []uint64 // fastest first, the reverse of a shape
	kind   ggmlType
	offset uint64 // from the beginning of data
}

// ggufReader walks through a header; the first error sticks and every later read gives zero.
type ggufReader struct {
	data []byte
	at   int
	err  error
}

var errTruncated = errors.New("file is truncated in the header")

func (r *ggufReader) bytes(n uint64) []byte {
	if r.err == nil && n > uint64(len(r.data)-r.at) {
		r.err = errTruncated
	}
	if r.err != nil {
		return nil
	}
	b := r.data[r.at : r.at+int(n)]
	r.at += int(n)
	return b
}

func (r *ggufReader) uint(size int) uint64 {
	var word [8]byte
	copy(word[:], r.bytes(uint64(size)))
	return binary.LittleEndian.Uint64(word[:])
}

func (r *ggufReader) int(size int) int64 {
	shift := 64 - 8*size
	return int64(r.uint(size)<<shift) >> shift
}

func (r *ggufReader) string() string { return string(r.bytes(r.uint(8))) }

// value reads one value of a type.
func (r *ggufReader) value(kind uint32) any {
	switch kind {
	case ggufUint8:
		return r.uint(1)
	case ggufInt8:
		return r.int(1)
	case ggufUint16:
		return r.uint(2)
	case ggufInt16:
		return r.int(2)
	case ggufUint32:
		return r.uint(4)
	case ggufInt32:
		return r.int(4)
	case ggufFloat32:
		return float64(math.Float32frombits(uint32(r.uint(4))))
	case ggufBool:
		return r.uint(1) != 0
	case ggufString:
		return r.string()
	case ggufArray:
		return r.array()
	case ggufUint64:
		return r.uint(8)
	case ggufInt64:
		return r.int(8)
	case ggufFloat64:
		return math.Float64frombits(r.uint(8))
	}
	if r.err == nil {
		r.err = fmt.Errorf("unknown value type %d in the header", kind)
	}
	return nil
}

func (r *ggufReader) array() []any {
	kind, n := uint32(r.uint(4)), r.uint(8)
	if kind == ggufArray { // nothing nests arrays, and a hostile file could nest them without end
		r.err = errors.Join(r.err, errors.New("nested array in the header"))
	}
	if r.err == nil && n > uint64(len(r.data)-r.at) { // every element takes a byte at least
		r.err = errTruncated
	}
	if r.err != nil {
		return nil
	}
	values := make([]any, 0, n)
	for ; n > 0 && r.err == nil; n-- {
		values = append(values, r.value(kind))
	}
	return values
}

// parseGGUF reads the header of a mapped file and checks that every tensor lies within it.
func parseGGUF(path string, m mapping) (*gguf, error) {
	r := &ggufReader{data: m}
	if magic := r.bytes(4); string(magic) != "GGUF" {
		return nil, fmt.Errorf("file starts with %q, expected \"GGUF\"", magic)
	}
	if version := r.uint(4); r.err == nil && version != 2 && version != 3 {
		return nil, fmt.Errorf("GGUF version is %d, expected 2 or 3, little endian", version)
	}
	g := &gguf{path: path, values: map[string]any{}}
	tensors, pairs := r.uint(8), r.uint(8)
	for ; pairs > 0 && r.err == nil; pairs-- {
		key := r.string()
		g.values[key] = r.value(uint32(r.uint(4)))
	}
	for ; tensors > 0 && r.err == nil; tensors-- {
		g.tensors = append(g.tensors, r.tensor())
	}
	if r.err != nil {
		return nil, r.err
	}
	return g, g.locate(m, r.at)
}

func (r *ggufReader) tensor() ggufTensor {
	t := ggufTensor{name: r.string()}
	n := r.uint(4)
	if r.err == nil && n > ggufMaxDims {
		r.err = fmt.Errorf("tensor %s has %d dimensions, expected at most %d", t.name, n, ggufMaxDims)
	}
	for ; n > 0 && r.err == nil; n-- {
		t.dims = append(t.dims, r.uint(8))
	}
	t.kind, t.offset = ggmlType(r.uint(4)), r.uint(8)
	return t
}

// locate finds where the data begin, behind the header at the next multiple of the alignment.
func (g *gguf) locate(m mapping, header int) error {
	alignment := g.uint("general.alignment", ggufDefaultAlignment)
	if alignment == 0 || alignment > 1<<20 || alignment%8 != 0 {
		return fmt.Errorf("general.alignment is %d, expected a multiple of 8", alignment)
	}
	begin := (uint64(header) + alignment - 1) / alignment * alignment
	g.data = m[min(begin, uint64(len(m))):]
	seen := map[string]bool{}
	for _, t := range g.tensors {
		if seen[t.name] {
			return fmt.Errorf("tensor %s occurs twice", t.name)
		}
		seen[t.name] = true
		if err := t.check(uint64(len(g.data))); err != nil {
			return fmt.Errorf("tensor %s: %w", t.name, err)
		}
	}
	return nil
}

func (t ggufTensor) check(size uint64) error {
	format, ok := ggmlFormats[t.kind]
	if !ok {
		return fmt.Errorf("type %s is not supported (supported: %s)", t.kind, supportedGGML())
	}
	n, ok := elements(t.shape())
	if !ok || n > math.MaxInt64/format.blockBytes {
		return fmt.Errorf("shape %v is impossible", t.shape())
	}
	if len(t.dims) == 0 || t.dims[0]%uint64(format.blockSize) != 0 {
		return fmt.Errorf("rows of shape %v are no multiple of %s's block of %d", t.shape(), t.kind, format.blockSize)
	}
	if bytes := t.bytes(); t.offset > size || bytes > size-t.offset {
		return fmt.Errorf("file is truncated: bytes %d to %d of %d bytes of data", t.offset, t.offset+bytes, size)
	}
	return nil
}

// shape returns the sizes as everybody but GGUF writes them, slowest first.
func (t ggufTensor) shape() []int64 {
	shape := make([]int64, len(t.dims))
	for i, n := range t.dims {
		shape[len(shape)-1-i] = int64(min(n, math.MaxInt64))
	}
	return shape
}

// bytes returns the stored size.
func (t ggufTensor) bytes() uint64 {
	n, _ := elements(t.shape())
	format := ggmlFormats[t.kind]
	return uint64(n / format.blockSize * format.blockBytes)
}

// uint returns an integer of the header, absent when there is none that is an integer from 0.
func (g *gguf) uint(key string, absent uint64) uint64 {
	switch v := g.values[key].(type) {
	case uint64:
		return v
	case int64:
		if v >= 0 {
			return uint64(v)
		}
	}
	return absent
}

// get returns a value of the header, absent when there is none of that type.
func get[T any](g *gguf, key string, absent T) T {
	if v, ok := g.values[key].(T); ok {
		return v
	}
	return absent
}

// list returns an array of the header; elements of another type become zero.
func list[T any](g *gguf, key string) []T {
	values := get[[]any](g, key, nil)
	if values == nil {
		return nil
	}
	out := make([]T, len(values))
	for i, v := range values {
		out[i], _ = v.(T)
	}
	return out
}
