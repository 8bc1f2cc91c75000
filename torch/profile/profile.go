// Package profile tells where a computation's time goes, operation by operation. It hears of libtorch's operations and
// backward nodes through libtorch's own observer (at::RecordFunction), and of package torch's operations through [Begin].
// While it is off, it costs an atomic load an operation.
//
// The time is that of the thread that calls: an operation that other threads help with counts until all are done. On a GPU,
// where calls return before the work is done, it would be the time of launching.
package profile

// #cgo CXXFLAGS: -std=c++17 -O2
// #cgo LDFLAGS: -ltorch_cpu -lc10 -lstdc++
// #include <stdlib.h>
// #include "profile.h"
import "C"

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	_ "revela/internal/libtorch" // fails first, and clearly, where libtorch is not set up
)

// Call is what all calls with one path took together.
type Call struct {
	Path  []string      // names from the outermost call to this one
	Self  time.Duration // spent in it and not in calls inside it
	Count int
}

// Name is the call's own name, such as "aten::mm".
func (c Call) Name() string { return c.Path[len(c.Path)-1] }

var on atomic.Bool

// Start forgets what was measured before and begins to measure. It is an error while measuring.
func Start() error {
	if message := C.revela_profile_start(); message != nil {
		defer C.free(unsafe.Pointer(message))
		return fmt.Errorf("start profile: %w", errors.New(C.GoString(message)))
	}
	on.Store(true)
	return nil
}

// Stop ends the measuring and returns the calls of all threads, parents before what they called. No operation may be under
// way.
func Stop() []Call {
	on.Store(false)
	C.revela_profile_stop()
	var calls []Call
	var path []string
	var cursor, self, count C.int64_t
	var name *C.char
	var depth C.int
	for C.revela_profile_next(&cursor, &name, &depth, &self, &count) != 0 {
		path = append(path[:depth:depth], C.GoString(name))
		calls = append(calls, Call{Path: path, Self: time.Duration(self), Count: int(count)})
	}
	return calls
}

// Begin tells that an operation of this name begins on this OS thread, which the caller keeps until it calls the result,
// when the operation ends.
func Begin(name string) (end func()) {
	if !on.Load() {
		return nothing
	}
	C.revela_profile_begin(interned(name))
	return finish
}

func nothing() {}

func finish() { C.revela_profile_end() }

var names sync.Map // string → *C.char

// interned returns a C string that stays: there are as many as operations have names.
func interned(name string) *C.char {
	if p, ok := names.Load(name); ok {
		return p.(*C.char)
	}
	p, _ := names.LoadOrStore(name, C.CString(name))
	return p.(*C.char)
}
