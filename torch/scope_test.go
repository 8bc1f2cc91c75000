package torch

import (
	"strings"
	"sync"
	"testing"
)

func TestFailingOperationNamesItself(t *testing.T) {
	s := NewScope()
	defer s.Close()
	y := s.MatMul(s.Zeros(Float32, 2, 3), s.Zeros(Float32, 2, 3))
	s.Add(y, y) // does nothing after an error
	if s.Err() == nil || !strings.HasPrefix(s.Err().Error(), "matmul: ") || strings.Contains(s.Err().Error(), "\n") {
		t.Errorf("error is %q, want one line that begins with the operation's name", s.Err())
	}
}

// libtch stores errors per OS thread, and goroutines move between threads.
func TestErrorsFromManyGoroutines(t *testing.T) {
	const workers, calls = 16, 200
	var wg sync.WaitGroup
	wrong := make(chan string, workers*calls)
	for w := range workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range calls {
				s := NewScope()
				a := s.Zeros(Float32, 2, 3)
				fails := (w+i)%2 == 0
				switch {
				case !fails:
					s.Add(a, a)
				case i%4 < 2:
					s.MatMul(a, a)
				default:
					s.RMSNorm(a, a, 1e-6)
				}
				if failed := s.Err() != nil; failed != fails {
					wrong <- "operation that should fail: " + map[bool]string{true: "no error", false: "an error"}[fails]
				} else if fails && !strings.HasPrefix(s.Err().Error(), map[bool]string{true: "matmul: ", false: "rms_norm: "}[i%4 < 2]) {
					wrong <- "misattributed: " + s.Err().Error()
				}
				s.Close()
			}
		}()
	}
	wg.Wait()
	close(wrong)
	for w := range wrong {
		t.Error(w)
	}
}

func TestResidentMemoryIsFlat(t *testing.T) {
	run := func(n int) {
		for range n {
			s := NewScope()
			a := s.Randn(Float32, 64, 1024) // 256 kB each: leaking them would show at once
			s.Sub(func(sub *Scope) []Tensor { return []Tensor{sub.Add(sub.Scale(a, 2), a)} })
			if s.Err() != nil {
				t.Fatal(s.Err())
			}
			s.Close()
		}
	}
	run(500)
	before := ResidentBytes()
	run(2500) // four operations each
	if grown := ResidentBytes() - before; grown > 16<<20 {
		t.Errorf("resident memory grew by %d MiB over 10,000 operations", grown>>20)
	}
}

func TestNoGradRestoresTheMode(t *testing.T) {
	s := NewScope()
	defer s.Close()
	x := s.Leaf(s.Zeros(Float32, 2))
	var inside, nested Tensor
	NoGrad(func() {
		inside = s.Scale(x, 2)
		WithGrad(func() { nested = s.Scale(x, 2) })
	})
	one := []Tensor{s.Zeros(Float32, 2)}
	s.Grad([]Tensor{nested}, one, []Tensor{x}, false)
	if s.Err() != nil {
		t.Fatalf("recording inside WithGrad: %v", s.Err())
	}
	if s.Grad([]Tensor{inside}, one, []Tensor{x}, false); s.Err() == nil {
		t.Error("backward through an operation under NoGrad worked")
	}
}

func TestRandomStateRepeats(t *testing.T) {
	if err := Seed(7); err != nil {
		t.Fatal(err)
	}
	state, err := RandomState()
	if err != nil {
		t.Fatal(err)
	}
	draw := func() []float64 {
		s := NewScope()
		defer s.Close()
		return read(t, s.Randn(Float64, 4))
	}
	first := draw()
	if err := SetRandomState(state); err != nil {
		t.Fatal(err)
	}
	for i, x := range draw() {
		if x != first[i] {
			t.Fatalf("draw %d is %v, was %v", i, x, first[i])
		}
	}
}
