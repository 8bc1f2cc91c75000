package torch

// #include <stdlib.h>
// #include "shim_device.h"
import "C"

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"unsafe"
)

// CUDA is what a machine has for computing on NVIDIA's GPUs.
type CUDA struct {
	Devices     []CUDADevice
	DriverError string // why there is no device; "" where there is one
	Library     string // libtorch_cuda.so, "" where it is not found
}

// CUDADevice is a GPU as NVIDIA's driver describes it.
type CUDADevice struct {
	Name   string `json:"name"`
	Major  int    `json:"major"` // of the compute capability
	Minor  int    `json:"minor"`
	Memory int64  `json:"memory"` // bytes
}

// missing is what keeps a machine from computing on a GPU without being wrong: `device: auto` then takes the CPU.
type missing string

func (m missing) Error() string { return string(m) }

// FindCUDA looks for devices and for the CUDA half of libtorch, and loads nothing of libtorch.
func FindCUDA() CUDA {
	c := CUDA{Library: findCUDALibrary()}
	var count C.int
	if err := failure("", C.revela_cuda_devices(&count)); err != nil {
		c.DriverError = errorText(err)
		return c
	}
	for i := range int(count) {
		d, err := cudaDevice(i)
		if err != nil {
			c.DriverError = errorText(err)
			return c
		}
		c.Devices = append(c.Devices, d)
	}
	if count == 0 {
		c.DriverError = "NVIDIA's driver shows no device"
	}
	return c
}

// errorText is the message of the shim without the name of an operation.
func errorText(err error) string { return errors.Unwrap(err).Error() }

func cudaDevice(index int) (CUDADevice, error) {
	var name [256]C.char
	var major, minor C.int
	var memory C.int64_t
	err := failure("", C.revela_cuda_device(C.int(index), &name[0], C.int(len(name)), &major, &minor, &memory))
	return CUDADevice{C.GoString(&name[0]), int(major), int(minor), int64(memory)}, err
}

// LibraryPath is the file of the libtorch that this program runs on.
func LibraryPath() string {
	var path [4096]C.char
	C.revela_library_path(&path[0], C.int(len(path)))
	return C.GoString(&path[0])
}

// findCUDALibrary looks beside the CPU's half of libtorch, and where setup-gotch.sh puts the other half for a libtorch that
// came without: in the cache, beside the folder of this one.
func findCUDALibrary() string {
	dir := filepath.Dir(LibraryPath())
	for _, path := range []string{
		filepath.Join(dir, "libtorch_cuda.so"),
		filepath.Join(dir, "..", "..", "cuda-"+Version, "torch", "lib", "libtorch_cuda.so"),
	} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return ""
}

// Load loads the CUDA half of libtorch; after the first time it does nothing. The error says what is missing.
func (c CUDA) Load() error {
	switch {
	case c.DriverError != "":
		return missing(c.DriverError + "; expected an NVIDIA GPU and its driver")
	case c.Library == "":
		return missing("libtorch is the CPU's alone (" + LibraryPath() + "); `make setup-cuda` fetches the rest")
	}
	return LoadCUDA(c.Library)
}

var cudaLoaded atomic.Bool

// LoadCUDA loads a libtorch_cuda.so into this program, which is linked against the CPU's libraries alone. It comes before
// the first tensor, or libtorch does not find it.
func LoadCUDA(path string) error {
	if cudaLoaded.Load() {
		return nil
	}
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	if err := failure("load "+path, C.revela_load_cuda(name)); err != nil {
		return err
	}
	cudaLoaded.Store(true)
	return nil
}

// CUDAVersion is the version of CUDA that the loaded half of libtorch was built for, such as "13.0"; "" before LoadCUDA.
func CUDAVersion() string {
	if !cudaLoaded.Load() { // asking libtorch now would keep it from finding CUDA later
		return ""
	}
	version := int(C.revela_cuda_version())
	return fmt.Sprintf("%d.%d", version/1000, version%1000/10)
}

// HasCUDAKernel reports whether the loaded libtorch has an operation, such as "aten::mm", for CUDA.
func HasCUDAKernel(operation string) bool {
	name := C.CString(operation)
	defer C.free(unsafe.Pointer(name))
	return C.revela_cuda_kernel(name) != 0
}
