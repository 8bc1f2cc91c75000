package torch

// #include <stdlib.h>
// #include "shim.h"
import "C"

import "unsafe"

// Version is the libtorch that revela is built for.
const Version = "2.11.0"

// HasCUDA reports whether libtorch sees a CUDA device; LoadCUDA must have been called.
func HasCUDA() bool { return C.revela_has_cuda() != 0 }

// LoadCUDA loads libtorch_cuda.so into the running program, which is linked against the CPU libraries alone.
func LoadCUDA(path string) error {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	return failure("load "+path, C.revela_load_library(name))
}

// CPUCapability is the instruction set that libtorch's kernels use here, such as "AVX512".
func CPUCapability() string {
	var name [64]C.char
	C.revela_cpu_capability(&name[0], C.int(len(name)))
	return C.GoString(&name[0])
}
