package npy

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"
)

// Mapped is an .npy file of a float32 array [Rows, Dim] in the address space: its pages are read when they are looked at
// and given back when memory is short. Values must not be used after Close, and not be written.
type Mapped struct {
	Rows, Dim int
	Values    []float32

	memory []byte
}

// Map opens a file as [Open] does.
func Map(path string) (m *Mapped, err error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }() // the mapping outlives the descriptor
	info, err := f.file.Stat()
	if err != nil {
		return nil, err
	}
	memory, err := syscall.Mmap(int(f.file.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", path, err)
	}
	m = &Mapped{Rows: f.Rows, Dim: f.Dim, memory: memory}
	// Behind the header, whose length is a multiple of four bytes in every version of numpy.
	numbers := memory[len(memory)-4*f.Rows*f.Dim:]
	m.Values = unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(numbers))), f.Rows*f.Dim)
	return m, nil
}

// Close ends the mapping.
func (m *Mapped) Close() error {
	m.Values = nil
	return syscall.Munmap(m.memory)
}
