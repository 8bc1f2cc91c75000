// Package npy reads and writes arrays of float32 with rows and columns in numpy's .npy format.
package npy

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// magic and version 1.0 open a file of numpy.save; two bytes with the header's length follow.
const magic = "\x93NUMPY\x01\x00"

// WriteHeader writes what comes before the numbers of a float32 array [rows, dim] in numpy's .npy format; the rows
// follow, little endian.
func WriteHeader(w io.Writer, rows, dim int) error {
	header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", rows, dim)
	prefix := len(magic) + 2
	header += strings.Repeat(" ", 63-(prefix+len(header))%64) + "\n" // the numbers begin at a multiple of 64 bytes
	content := binary.LittleEndian.AppendUint16([]byte(magic), uint16(len(header)))
	_, err := w.Write(append(content, header...))
	return err
}

// WriteRows writes numbers behind the header.
func WriteRows(w io.Writer, values []float32) error {
	var buffer [1 << 14]byte
	for len(values) > 0 {
		n := min(len(values), len(buffer)/4)
		for i, x := range values[:n] {
			binary.LittleEndian.PutUint32(buffer[4*i:], math.Float32bits(x))
		}
		if _, err := w.Write(buffer[:4*n]); err != nil {
			return err
		}
		values = values[n:]
	}
	return nil
}

// File is an open .npy file of a float32 array [Rows, Dim].
type File struct {
	Rows, Dim int

	path string
	file *os.File
	r    *bufio.Reader
}

// Open opens a file that numpy.save or [WriteHeader] wrote, and checks that all its numbers are there.
func Open(path string) (*File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open vectors: %w", err)
	}
	n := &File{path: path, file: file, r: bufio.NewReaderSize(file, 1<<20)}
	if err := n.readHeader(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), file.Close())
	}
	return n, nil
}

// Close closes the file.
func (n *File) Close() error { return n.file.Close() }

var headerPattern = regexp.MustCompile(`^\{'descr': '([^']*)', 'fortran_order': (True|False), 'shape': \((\d+), (\d+)\), *\}\s*$`)

func (n *File) readHeader() error {
	start := make([]byte, len(magic)+2)
	if _, err := io.ReadFull(n.r, start); err != nil || string(start[:len(magic)]) != magic {
		return errors.New("not an .npy file of version 1.0")
	}
	header := make([]byte, binary.LittleEndian.Uint16(start[len(magic):]))
	if _, err := io.ReadFull(n.r, header); err != nil {
		return errors.New("the header is cut off")
	}
	m := headerPattern.FindStringSubmatch(string(header))
	if m == nil {
		return fmt.Errorf("header %.80q, expected an array with rows and columns", strings.TrimSpace(string(header)))
	}
	if m[1] != "<f4" || m[2] != "False" {
		return fmt.Errorf("descr %s and fortran_order %s, expected <f4 and False", m[1], m[2])
	}
	var errRows, errDim error
	n.Rows, errRows = strconv.Atoi(m[3])
	n.Dim, errDim = strconv.Atoi(m[4])
	if errRows != nil || errDim != nil || n.Dim == 0 || n.Rows > math.MaxInt/4/n.Dim {
		return fmt.Errorf("shape (%s, %s), expected one that memory can hold", m[3], m[4])
	}
	return n.checkSize(len(start) + len(header))
}

func (n *File) checkSize(before int) error {
	info, err := n.file.Stat()
	if err != nil {
		return err
	}
	if want := int64(before) + 4*int64(n.Rows)*int64(n.Dim); info.Size() != want {
		return fmt.Errorf("%d bytes, expected %d for an array [%d, %d]", info.Size(), want, n.Rows, n.Dim)
	}
	return nil
}

// Read fills rows [n, Dim] with the next ones of the file.
func (n *File) Read(rows []float32) error {
	var buffer [1 << 14]byte
	for len(rows) > 0 {
		count := min(len(rows), len(buffer)/4)
		if _, err := io.ReadFull(n.r, buffer[:4*count]); err != nil {
			return fmt.Errorf("%s: %w", n.path, err)
		}
		for i := range rows[:count] {
			rows[i] = math.Float32frombits(binary.LittleEndian.Uint32(buffer[4*i:]))
		}
		rows = rows[count:]
	}
	return nil
}
