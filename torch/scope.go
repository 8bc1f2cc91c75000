package torch

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"unsafe"

	lib "github.com/sugarme/gotch/libtch"

	"revela/torch/profile"
)

// Scope owns the tensors that a computation makes and the first error that it meets. It is for one goroutine.
type Scope struct {
	owned []Tensor
	err   error
}

// NewScope returns an empty scope; Close it.
func NewScope() *Scope { return &Scope{} }

// Close frees every tensor that the scope still owns. It may be called twice.
func (s *Scope) Close() {
	for _, t := range s.owned {
		t.Free()
	}
	s.owned = s.owned[:0]
}

// Err returns the first error of the scope's operations.
func (s *Scope) Err() error { return s.err }

// Fail records err unless an earlier error is there already, or err is nil.
func (s *Scope) Fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

// Own hands t to the scope, which will free it.
func (s *Scope) Own(t Tensor) Tensor {
	if t.Defined() {
		s.owned = append(s.owned, t)
	}
	return t
}

// Keep takes t out of the scope: the caller frees it. It works from the youngest tensor back.
func (s *Scope) Keep(t Tensor) Tensor {
	for i := len(s.owned) - 1; i >= 0; i-- {
		if s.owned[i] == t {
			s.owned = append(s.owned[:i], s.owned[i+1:]...)
			return t
		}
	}
	return t
}

// Sub runs f in a scope of its own and frees its temporaries; the tensors that f returns move to s.
func (s *Scope) Sub(f func(sub *Scope) []Tensor) []Tensor {
	if s.err != nil {
		return make([]Tensor, 16)
	}
	sub := NewScope()
	defer sub.Close()
	results := f(sub)
	for i, t := range results {
		results[i] = s.Own(sub.Keep(t))
	}
	s.Fail(sub.err)
	return results
}

// gotch runs one call of gotch's C layer. libtch stores errors per OS thread, so the thread is held for the call,
// the stored error is cleared before and read after it. in are the inputs that must be there.
func (s *Scope) gotch(op string, in []Tensor, call func(out *lib.Ctensor)) Tensor {
	if !s.ready(op, in) {
		return Tensor{}
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	enter()
	defer profile.Begin(op)()
	forgetError()
	var t Tensor
	call(&t.p)
	if err := takeError(op); err != nil {
		s.err = err
		return Tensor{}
	}
	if t.p == nil {
		s.err = errors.New(op + ": no result")
		return Tensor{}
	}
	return s.Own(t)
}

// shim runs one call of the shim, which returns its own error.
func (s *Scope) shim(op string, in []Tensor, call func(out *unsafe.Pointer) *C.char) Tensor {
	var t Tensor
	s.shimOf(op, in, []*Tensor{&t}, func() *C.char { return call(t.out()) })
	return t
}

// shimOf is shim for a call that writes several tensors.
func (s *Scope) shimOf(op string, in []Tensor, out []*Tensor, call func() *C.char) {
	if !s.ready(op, in) {
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	enter()
	defer profile.Begin(op)()
	if s.err = failure(op, call()); s.err != nil {
		return
	}
	for _, t := range out {
		s.Own(*t)
	}
}

// ready reports whether an operation may run: no error so far, and no input that an error elsewhere left undefined (C++
// would crash on it).
func (s *Scope) ready(op string, in []Tensor) bool {
	for i, t := range in {
		if s.err == nil && !t.Defined() {
			s.err = fmt.Errorf("%s: input %d is no tensor", op, i+1)
		}
	}
	return s.err == nil
}

func forgetError() {
	if e := lib.GetAndResetLastErr(); e != nil {
		C.free(unsafe.Pointer(e))
	}
}

func takeError(op string) error {
	e := lib.GetAndResetLastErr()
	if e == nil {
		return nil
	}
	defer C.free(unsafe.Pointer(e))
	return opError(op, C.GoString((*C.char)(unsafe.Pointer(e))))
}

var threads atomic.Int32

// SetThreads sets how many threads an operation may use, on whatever OS thread it is called; 0 stands for all cores that
// this process may use.
func SetThreads(n int) { threads.Store(int32(n)) }

// Threads returns how many threads an operation may use.
func Threads() int {
	if n := int(threads.Load()); n > 0 {
		return n
	}
	return runtime.NumCPU()
}

// enter gives this OS thread the program's number of threads: libtorch keeps it per thread.
func enter() { C.revela_enter(C.int(Threads())) }
