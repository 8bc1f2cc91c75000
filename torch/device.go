package torch

// #include <stdlib.h>
// #include "shim.h"
// #include "shim_device.h"
import "C"

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"unsafe"
)

// Version is the libtorch that revela is built for.
const Version = "2.11.0"

// CPUCapability is the instruction set that libtorch's kernels use here, such as "AVX512".
func CPUCapability() string {
	var name [64]C.char
	C.revela_cpu_capability(&name[0], C.int(len(name)))
	return C.GoString(&name[0])
}

var current atomic.Pointer[string] // nil: the CPU

// Device is where new tensors are made: "cpu", or a device as "cuda:0".
func Device() string {
	if name := current.Load(); name != nil {
		return *name
	}
	return "cpu"
}

// OnDevice reports whether new tensors are made elsewhere than on the CPU.
func OnDevice() bool { return current.Load() != nil }

// UseDevice lets all threads make new tensors on the device that libtorch knows by this name: "cpu", "cuda:1". Tensors that
// there are stay where they are; what operations keep on a device between calls is freed. [SelectDevice] takes the names of configurations.
func UseDevice(name string) error {
	c := C.CString(name)
	defer C.free(unsafe.Pointer(c))
	if err := failure("use device", C.revela_use_device(c)); err != nil {
		return err
	}
	if name == "cpu" {
		current.Store(nil)
	} else {
		current.Store(&name)
	}
	return nil
}

// placed moves a tensor that was made on the CPU to the device; the first one is freed at once.
func (s *Scope) placed(t Tensor) Tensor {
	if !OnDevice() || s.err != nil {
		return t
	}
	moved := s.shim("copy to device", []Tensor{t}, func(out *unsafe.Pointer) *C.char { return C.revela_on_device(t.c(), out) })
	s.Keep(t).Free()
	return moved
}

// Synchronize waits until the device has done all that it was asked for.
func Synchronize() error { return failure("synchronize", C.revela_synchronize()) }

// SelectDevice makes the device of a configuration the one that new tensors are made on, and returns its name: auto (the
// device in use, else the first GPU where one can be used, else the CPU), cpu, cuda (the first GPU) or cuda:N. It comes before the first tensor:
// libtorch looks for CUDA once. An error says in one line what is missing and what to do about it.
func SelectDevice(name string) (string, error) {
	if name == "cpu" {
		return name, UseDevice(name)
	}
	if name == "auto" && OnDevice() {
		return Device(), nil
	}
	want := name
	if want == "auto" || want == "cuda" {
		want = "cuda:0"
	}
	err := useCUDA(want)
	var absent missing
	switch {
	case err == nil:
		return want, nil
	case name == "auto" && errors.As(err, &absent):
		return "cpu", UseDevice("cpu")
	}
	return "", fmt.Errorf("found %s, but %w", name, err)
}

func useCUDA(name string) error {
	c := FindCUDA()
	if err := c.Load(); err != nil {
		return err
	}
	var index int
	if _, err := fmt.Sscanf(strings.TrimPrefix(name, "cuda:"), "%d", &index); err != nil || index >= len(c.Devices) {
		return fmt.Errorf("this machine has %d CUDA devices, counted from 0", len(c.Devices))
	}
	return UseDevice(name)
}

// DeviceMultipliesBF16 reports whether the device that tensors are made on has units for products in bf16, as NVIDIA's have
// from compute capability 8.0 on.
func DeviceMultipliesBF16() bool {
	var index int
	if _, err := fmt.Sscanf(Device(), "cuda:%d", &index); err != nil {
		return false
	}
	devices := FindCUDA().Devices
	return index < len(devices) && devices[index].Major >= 8
}
