package torch

// #include "shim.h"
import "C"

import (
	"bytes"
	"os"
	"strconv"
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
