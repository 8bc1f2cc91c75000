package profile_test

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"revela/torch"
	"revela/torch/profile"
)

// multiply runs a product forward and backward inside a region.
func multiply(t *testing.T, region string) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer profile.Begin(region)()
	s := torch.NewScope()
	defer s.Close()
	a := s.Leaf(s.Randn(torch.Float32, 64, 64))
	sum := s.Sum(s.MatMul(a, a))
	s.Grad([]torch.Tensor{sum}, nil, []torch.Tensor{a}, false)
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
}

// Products are found below the region, in forward and in backward; times add up to no more than the wall's.
func TestCalls(t *testing.T) {
	if err := profile.Start(); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	for range 3 {
		multiply(t, "here")
	}
	wall := time.Since(start)
	calls := profile.Stop()
	var total time.Duration
	products, backward := 0, 0
	for _, c := range calls {
		total += c.Self
		if c.Path[0] != "here" {
			t.Errorf("%v lies outside the region", c.Path)
		}
		if c.Name() == "aten::mm" {
			products += c.Count
			if slices.ContainsFunc(c.Path, func(name string) bool { return name == "MmBackward0" }) {
				backward += c.Count
			}
		}
	}
	if products != 9 || backward != 6 {
		t.Errorf("%d products, %d of them backward; want 9 and 6", products, backward)
	}
	if total <= 0 || total > wall {
		t.Errorf("calls took %v of %v", total, wall)
	}
}

// Nothing is heard while it is off, and a start forgets.
func TestOnOff(t *testing.T) {
	multiply(t, "before")
	if err := profile.Start(); err != nil {
		t.Fatal(err)
	}
	if err := profile.Start(); err == nil {
		t.Error("no error for a second start")
	}
	multiply(t, "first")
	if calls := profile.Stop(); len(calls) == 0 || calls[0].Path[0] != "first" {
		t.Errorf("got %v", calls)
	}
	multiply(t, "between")
	if err := profile.Start(); err != nil {
		t.Fatal(err)
	}
	if calls := profile.Stop(); len(calls) != 0 {
		t.Errorf("got %v", calls)
	}
}

// A call that began before the start does not disturb those after.
func TestBeganBefore(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := profile.Start(); err != nil {
		t.Fatal(err)
	}
	end := profile.Begin("old")
	profile.Stop()
	if err := profile.Start(); err != nil {
		t.Fatal(err)
	}
	end()
	profile.Begin("new")()
	if calls := profile.Stop(); len(calls) != 1 || calls[0].Name() != "new" {
		t.Errorf("got %v", calls)
	}
}
