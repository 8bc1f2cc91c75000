// Package fakedevice gives libtorch a device for tests: its memory is the CPU's and so are its kernels, but to libtorch it is
// another device, as a GPU is. An operation that gets tensors of both fails, as it would on a GPU, so that whatever runs
// here keeps all tensors where they belong; and since it is not the CPU, code runs that is otherwise for GPUs alone. Flash
// attention is there by a plain implementation of what libtorch's kernel promises, and checks what the kernel demands.
package fakedevice

// #cgo CXXFLAGS: -std=c++17 -O1
// #cgo LDFLAGS: -ltorch_cpu -lc10 -lstdc++
// #include <stdint.h>
// int64_t revela_fake_flash_calls(void);
// int64_t revela_fake_reads(void);
// void revela_fake_plug_in(void);
import "C"

import "sync"

var plugIn sync.Once

// Name plugs the device in, which before is not there to libtorch, and returns what libtorch calls it.
func Name() string {
	plugIn.Do(func() { C.revela_fake_plug_in() })
	return "fake:0"
}

// FlashCalls counts the calls of flash attention's forward.
func FlashCalls() int64 { return int64(C.revela_fake_flash_calls()) }

// Reads counts the times that values were read back from the device: a program waits for a GPU then.
func Reads() int64 { return int64(C.revela_fake_reads()) }
