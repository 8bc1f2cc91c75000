package prepare

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"unsafe"
)

// spool holds units on disk between reading and grouping, in the order of the inputs: a file that grows while the
// inputs are read and is mapped into memory afterwards, so that a unit costs 8 bytes of heap. What the system keeps of
// the map it takes back when memory is short.
type spool struct {
	file   *os.File
	w      *bufio.Writer
	size   int64
	starts []int64 // of the units
	buffer []byte
	mapped []byte // after seal
}

// openSpool opens the file at path and keeps its first size bytes, which replay reads.
func openSpool(path string, size int64) (*spool, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	if err := f.Truncate(size); err != nil {
		return nil, errors.Join(fmt.Errorf("open spool: %w", err), f.Close())
	}
	if _, err := f.Seek(size, io.SeekStart); err != nil {
		return nil, errors.Join(fmt.Errorf("open spool: %w", err), f.Close())
	}
	return &spool{file: f, w: bufio.NewWriterSize(f, 1<<20), size: size}, nil
}

// add appends a unit.
func (s *spool) add(u unit) error {
	s.buffer = encodeUnit(s.buffer[:0], u)
	var length [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(length[:], uint64(len(s.buffer)))
	if _, err := s.w.Write(length[:n]); err != nil {
		return fmt.Errorf("write spool: %w", err)
	}
	if _, err := s.w.Write(s.buffer); err != nil {
		return fmt.Errorf("write spool: %w", err)
	}
	s.starts = append(s.starts, s.size+int64(n))
	s.size += int64(n + len(s.buffer))
	return nil
}

// replay visits the units that were there when the spool was opened.
func (s *spool) replay(visit func(unit) error) error {
	r := bufio.NewReaderSize(io.NewSectionReader(s.file, 0, s.size), 1<<20)
	for at := int64(0); at < s.size; {
		length, err := binary.ReadUvarint(r)
		if err != nil {
			return fmt.Errorf("read spool: %w", err)
		}
		raw := make([]byte, length)
		if _, err := io.ReadFull(r, raw); err != nil {
			return fmt.Errorf("read spool: %w", err)
		}
		at += int64(len(binary.AppendUvarint(nil, length)))
		s.starts = append(s.starts, at)
		at += int64(length)
		u, err := decodeUnit(raw)
		if err != nil {
			return err
		}
		if err := visit(u); err != nil {
			return err
		}
	}
	return nil
}

// flush puts everything added on the disk.
func (s *spool) flush() error {
	if err := s.w.Flush(); err != nil {
		return fmt.Errorf("write spool: %w", err)
	}
	return nil
}

// read returns a unit while the spool still grows.
func (s *spool) read(i int) (unit, error) {
	end := s.size
	if i+1 < len(s.starts) {
		end = s.starts[i+1] // and the next one's length, which is not read
	}
	if int64(s.w.Buffered()) > s.size-end {
		if err := s.flush(); err != nil {
			return unit{}, err
		}
	}
	raw := make([]byte, end-s.starts[i])
	if _, err := s.file.ReadAt(raw, s.starts[i]); err != nil {
		return unit{}, fmt.Errorf("read spool: %w", err)
	}
	return decodeUnit(raw)
}

// seal ends the growing; At may be called from then on.
func (s *spool) seal() error {
	if err := s.flush(); err != nil || s.size == 0 {
		return err
	}
	mapped, err := syscall.Mmap(int(s.file.Fd()), 0, int(s.size), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map spool: %w", err)
	}
	s.mapped = mapped
	return nil
}

// Len is the number of units.
func (s *spool) Len() int { return len(s.starts) }

// At returns a unit whose texts lie in the map: they are valid until Close. It may be called by many goroutines.
func (s *spool) At(i int) (unit, error) { return decodeUnit(s.mapped[s.starts[i]:]) }

// each hands every unit that is used to yield, in the order of the inputs.
func (s *spool) each(ctx context.Context, yield func(unit) error) error {
	for i := range s.starts {
		if i%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		u, err := s.At(i)
		if err == nil && !u.dropped {
			err = yield(u)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Close releases the file and the map.
func (s *spool) Close() error {
	var err error
	if s.mapped != nil {
		err = syscall.Munmap(s.mapped)
		s.mapped = nil
	}
	return errors.Join(err, s.file.Close())
}

// texts are the fields of a unit that are texts, in the order of the spool.
func (u *unit) texts() [9]*string {
	return [...]*string{&u.text, &u.whole, &u.query, &u.sentence, &u.id, &u.name, &u.document, &u.folder, &u.pkg}
}

// Flags of a unit in the spool.
const (
	flagUsable  = 1
	flagDropped = 2
)

func encodeUnit(b []byte, u unit) []byte {
	flags := byte(0)
	if u.usable {
		flags |= flagUsable
	}
	if u.dropped {
		flags |= flagDropped
	}
	b = append(b, flags)
	for _, n := range []int{u.line, u.from, u.to} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	for _, text := range u.texts() {
		b = binary.AppendUvarint(b, uint64(len(*text)))
		b = append(b, *text...)
	}
	b = binary.AppendUvarint(b, uint64(len(u.file)))
	return append(b, u.file...)
}

// decodeUnit returns a unit whose texts lie in b.
func decodeUnit(b []byte) (unit, error) {
	d := decoder{rest: b}
	flags := d.byte()
	u := unit{usable: flags&flagUsable != 0, dropped: flags&flagDropped != 0}
	u.line, u.from, u.to = d.number(), d.number(), d.number()
	for _, text := range u.texts() {
		*text = d.text()
	}
	u.file = d.text()
	if d.failed {
		return unit{}, errors.New("read spool: broken record")
	}
	return u, nil
}

// decoder reads the fields of a unit.
type decoder struct {
	rest   []byte
	failed bool
}

func (d *decoder) byte() byte {
	if len(d.rest) == 0 {
		d.failed = true
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *decoder) number() int {
	n, size := binary.Uvarint(d.rest)
	if size <= 0 {
		d.failed = true
		return 0
	}
	d.rest = d.rest[size:]
	return int(n)
}

func (d *decoder) text() string {
	n := d.number()
	if n > len(d.rest) || n < 0 {
		d.failed = true
		return ""
	}
	text := unsafe.String(unsafe.SliceData(d.rest), n)
	d.rest = d.rest[n:]
	return text
}
