package torch

// #include <stdlib.h>
// #include "shim_device.h"
import "C"

import (
	_ "embed"
	"unsafe"
)

//go:embed kernels/chains.cu
var chainKernels string

//go:embed kernels/rows.cu
var rowKernels string

func init() { C.revela_set_kernels(C.CString(chainKernels + rowKernels)) } // the shim keeps it

// KernelError says why the device in use computes without the program's own kernels, which libtorch's operations then stand in
// for, slower; "" where it has them, and on the CPU.
func KernelError() string {
	var message [1024]C.char
	if err := failure("kernels", C.revela_kernels(&message[0], C.int(len(message)))); err != nil {
		return errorText(err)
	}
	return C.GoString(&message[0])
}

// CompileKernels compiles the program's own kernels of a type for a GPU such as "sm_90", which need not be there, and returns the bytes
// of their machine code. The CUDA half of libtorch is loaded before.
func CompileKernels(gpu string, dtype DType) (int64, error) {
	name := C.CString(gpu)
	defer C.free(unsafe.Pointer(name))
	var bytes C.int64_t
	err := failure("compile kernels", C.revela_compile_kernels(name, C.int(dtype), &bytes))
	return int64(bytes), err
}
