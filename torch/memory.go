package torch

// #include "shim.h"
// #include "shim_device.h"
import "C"

import (
	"bytes"
	"os"
	"strconv"
	"strings"
)

// ResidentBytes is the memory of this process that lies in RAM, as the kernel counts it; 0 where it cannot be read.
func ResidentBytes() int64 { return procStatus("VmRSS:") }

// PeakResidentBytes is the largest value that ResidentBytes has had.
func PeakResidentBytes() int64 { return procStatus("VmHWM:") }

func procStatus(key string) int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for _, line := range bytes.Split(status, []byte("\n")) {
		if rest, ok := bytes.CutPrefix(line, []byte(key)); ok {
			kib, _ := strconv.ParseInt(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte("kB")))), 10, 64)
			return kib << 10
		}
	}
	return 0
}

// ReleaseMemory gives freed C memory back to the system.
func ReleaseMemory() { C.revela_malloc_trim() }

// OutOfMemory reports whether an error of an operation says that the device's memory, or the CPU's, was not enough.
func OutOfMemory(err error) bool {
	return err != nil && (strings.Contains(err.Error(), "out of memory") || strings.Contains(err.Error(), "can't allocate memory"))
}

// DeviceMemory is the memory of the device that tensors are made on, in bytes; all 0 on the CPU.
type DeviceMemory struct {
	Used, Peak  int64 // by tensors now, and at most since the peak was last reset
	Free, Total int64 // of the device; what libtorch keeps for later tensors is not free
}

// ReadDeviceMemory reads the statistics of the device's allocator and, where asked, starts the peak anew.
func ReadDeviceMemory(resetPeak bool) (DeviceMemory, error) {
	var used, peak, free, total C.int64_t
	err := failure("device memory", C.revela_device_memory(&used, &peak, &free, &total, cbool(resetPeak)))
	return DeviceMemory{int64(used), int64(peak), int64(free), int64(total)}, err
}
