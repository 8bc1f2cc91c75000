package checkpoint

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// mapping is a file mapped read-only into memory.
type mapping []byte

// mapFile maps a whole file; an empty file gives an empty mapping.
func mapFile(path string) (m mapping, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }() // the mapping outlives the descriptor
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, fmt.Errorf("%s is a folder, expected a file", path)
	}
	if info.Size() == 0 {
		return nil, nil
	}
	m, err = syscall.Mmap(int(f.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", path, err)
	}
	return m, nil
}

// forget lets the kernel take the mapped pages back; what is read again comes from the file.
func (m mapping) forget() {
	if m != nil {
		_ = syscall.Madvise(m, syscall.MADV_DONTNEED) // a hint
	}
}

func (m mapping) close() error {
	if m == nil {
		return nil
	}
	return syscall.Munmap(m)
}
