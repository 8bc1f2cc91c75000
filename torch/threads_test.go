package torch

import (
	"runtime"
	"testing"
)

// onThread is an OS thread that calls what it is sent.
type onThread chan func()

func newThread(t *testing.T) onThread {
	calls := make(onThread)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for f := range calls {
			f()
		}
	}()
	t.Cleanup(func() { close(calls) })
	return calls
}

func (o onThread) do(f func()) {
	done := make(chan struct{})
	o <- func() { defer close(done); f() }
	<-done
}

// A thread that entered the library before another one set its own number keeps the program's: libtorch's first parallel
// loop of a thread takes whatever number any thread set last.
func TestThreadKeepsTheProgramsNumber(t *testing.T) {
	before := int(threads.Load())
	t.Cleanup(func() { SetThreads(before) })
	s := NewScope()
	defer s.Close()
	var x Tensor
	sum := func(o onThread, n int) (v float64) {
		o.do(func() {
			SetThreads(n)
			total, err := s.Sum(x).Float()
			if v = total; err != nil {
				t.Error(err)
			}
		})
		return v
	}
	var one, two float64
	for draws := 0; one == two; draws++ { // the same sum in another order, by chance, would show nothing
		if draws == 100 {
			t.Fatal("the sums on one thread and on two are always the same")
		}
		x = s.Randn(Float32, 1<<20)
		one, two = sum(newThread(t), 1), sum(newThread(t), 2)
	}
	early := newThread(t)
	early.do(func() { SetThreads(2); s.Zeros(Float32, 1) })
	if got := sum(newThread(t), 1); got != one {
		t.Errorf("got %v on one thread, want %v", got, one)
	}
	if got := sum(early, 2); got != two {
		t.Errorf("got %v on the thread that entered first, want the sum on two threads, %v", got, two)
	}
}
