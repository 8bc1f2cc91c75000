package machine

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"revela/torch"
)

const cpuinfo = `processor	: 0
model name	: AMD EPYC
flags		: fpu vme avx512f avx512_bf16

processor	: 1
model name	: AMD EPYC
flags		: fpu vme avx512f avx512_bf16`

func TestReadCPU(t *testing.T) {
	m := Machine{flags: map[string]bool{}}
	m.readCPU(strings.Split(cpuinfo, "\n"))
	if m.CPU != "AMD EPYC" || m.Present != 2 || m.BF16() != "avx512_bf16" {
		t.Errorf("got %+v, %s", m, m.BF16())
	}
	m.flags["amx_bf16"] = true
	if m.BF16() != "amx_bf16" {
		t.Errorf("got %s, want the faster amx_bf16", m.BF16())
	}
	if none := (Machine{}).BF16(); none != "" {
		t.Errorf("got %s on a machine without flags", none)
	}
}

func TestDriverVersion(t *testing.T) {
	for line, want := range map[string]string{
		"NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC 2024":                        "535.183.01",
		"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.159.04  Release Build  (root@host)  Mon Sep 1 2025": "580.159.04",
		"GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)":                                                             "",
	} {
		if got := driverVersion([]string{line}); got != want {
			t.Errorf("%q gave %q, want %q", line, got, want)
		}
	}
}

func TestReadMemory(t *testing.T) {
	var m Machine
	m.readMemory([]string{"MemTotal:       2048 kB", "MemFree: x kB", "MemAvailable:   1024 kB", ""})
	if m.Memory != 2<<20 || m.Available != 1<<20 {
		t.Errorf("got %+v", m)
	}
}

func TestThisMachine(t *testing.T) {
	m := Read()
	if m.Cores != runtime.NumCPU() || m.Present < m.Cores || m.CPU == "" || m.Memory < m.Available || m.Available <= 0 {
		t.Errorf("got %+v", m)
	}
	if path := Library("libtorch_cpu.so"); !strings.HasPrefix(path, "/") {
		t.Errorf("libtorch_cpu.so is loaded, found at %q", path)
	}
	if path := Library("libnothing.so"); path != "" {
		t.Errorf("found %s", path)
	}
}

func TestMultiplyRate(t *testing.T) {
	rate, err := MultiplyRate(torch.Float32, 128, 20*time.Millisecond)
	if err != nil || rate <= 0 || rate > 1e15 {
		t.Errorf("got %g operations a second, %v", rate, err)
	}
	if _, err := MultiplyRate(torch.Float32, -1, time.Millisecond); err == nil {
		t.Error("no error for a matrix of −1 rows")
	}
}
