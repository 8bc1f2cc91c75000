package profile

// #include <stdlib.h>
// #include "trace.h"
import "C"

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
	"unsafe"

	"revela/internal/atomicfile"
)

// Trace runs work and writes what libtorch's profiler saw of it to a file, in the format that Perfetto (ui.perfetto.dev) and
// chrome://tracing show: the operations of the calling OS thread and of backward on a time line and, with cuda, the kernels that
// the GPU ran for them. work waits for the device before it returns, or kernels are missing. Where work fails, its error is
// returned and nothing is written.
func Trace(path string, cuda bool, work func() error) error {
	folder, err := os.MkdirTemp("", "trace")
	if err != nil {
		return fmt.Errorf("trace: %w", err)
	}
	defer os.RemoveAll(folder)
	raw := filepath.Join(folder, "trace.json")
	if err := traced(raw, cuda, work); err != nil {
		return err
	}
	r, err := os.Open(raw)
	if err != nil {
		return fmt.Errorf("trace: %w", err)
	}
	defer r.Close()
	return atomicfile.Write(path, func(w io.Writer) error {
		_, err := io.Copy(w, r)
		return err
	})
}

// Kernels runs work, which waits for the GPU before it returns, and tells how long kernels of the GPU ran: of each path of operations
// that launched some, the times of the kernels together as Self, and their number.
func Kernels(work func() error) ([]Call, error) {
	if err := traced("", true, work); err != nil {
		return nil, err
	}
	var calls []Call
	var path *C.char
	var nanoseconds, count C.int64_t
	for i := 0; C.revela_trace_kernels(C.int64_t(i), &path, &nanoseconds, &count) != 0; i++ {
		names := strings.Split(C.GoString(path), "\n")[1:]
		calls = append(calls, Call{Path: names, Self: time.Duration(nanoseconds), Count: int(count)})
	}
	return calls, nil
}

// traced runs work under libtorch's profiler and writes the trace to a file, or to none.
func traced(path string, cuda bool, work func() error) error {
	runtime.LockOSThread() // libtorch's profiler sees the thread that starts it
	defer runtime.UnlockOSThread()
	device := C.int(0)
	if cuda {
		device = 1
	}
	if err := traceError(C.revela_trace_start(device)); err != nil {
		return err
	}
	failed := work()
	var name *C.char
	if path != "" {
		name = C.CString(path)
		defer C.free(unsafe.Pointer(name))
	}
	if err := traceError(C.revela_trace_stop(name)); failed == nil {
		return err
	}
	return failed
}

func traceError(message *C.char) error {
	if message == nil {
		return nil
	}
	defer C.free(unsafe.Pointer(message))
	return fmt.Errorf("trace: %s", C.GoString(message))
}
