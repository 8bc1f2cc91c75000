// Package machine says what the program runs on: cores, memory, instruction sets, loaded libraries, and how
// fast libtorch multiplies here. It reads Linux's /proc; what that does not say is left empty.
package machine

import (
	"bufio"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
)

// Machine is what /proc tells.
type Machine struct {
	CPU       string // model name
	Cores     int    // that this process may use
	Present   int    // in the machine
	Memory    int64  // bytes
	Available int64  // bytes of memory that a new program could take
	flags     map[string]bool
}

// Read reads the machine's description.
func Read() Machine {
	m := Machine{Cores: runtime.NumCPU(), flags: map[string]bool{}}
	m.readCPU(lines("/proc/cpuinfo"))
	m.readMemory(lines("/proc/meminfo"))
	return m
}

func (m *Machine) readCPU(lines []string) {
	for _, line := range lines {
		key, value, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(key) {
		case "processor":
			m.Present++
		case "model name":
			m.CPU = strings.TrimSpace(value)
		case "flags":
			for _, flag := range strings.Fields(value) {
				m.flags[flag] = true
			}
		}
	}
}

func (m *Machine) readMemory(lines []string) {
	for _, line := range lines {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		kibibytes, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			continue
		}
		switch fields[0] {
		case "MemTotal:":
			m.Memory = kibibytes << 10
		case "MemAvailable:":
			m.Available = kibibytes << 10
		}
	}
}

// BF16 names the instructions that multiply bf16 directly, best first; "" where there are none and libtorch
// converts to fp32 and back.
func (m Machine) BF16() string {
	for _, flag := range []string{"amx_bf16", "avx512_bf16"} {
		if m.flags[flag] {
			return flag
		}
	}
	return ""
}

// Library returns the path of a library that is loaded into this process, such as libtorch_cpu.so; "" where it is not.
func Library(name string) string {
	for _, line := range lines("/proc/self/maps") {
		if at := strings.Index(line, "/"); at >= 0 && strings.HasSuffix(line, "/"+name) {
			return line[at:]
		}
	}
	return ""
}

// NVIDIADriver returns the version of the NVIDIA kernel driver, such as 580.159.04; "" where there is none.
func NVIDIADriver() string { return driverVersion(lines("/proc/driver/nvidia/version")) }

var versionNumber = regexp.MustCompile(`\s(\d+(\.\d+)+)\s`)

// driverVersion finds the version in what the driver tells of itself, whose words differ between its kinds.
func driverVersion(lines []string) string {
	for _, line := range lines {
		if found := versionNumber.FindStringSubmatch(line + " "); found != nil && strings.HasPrefix(line, "NVRM version:") {
			return found[1]
		}
	}
	return ""
}

// lines reads a file of /proc; none where it is missing.
func lines(path string) []string {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	var all []string
	scanner := bufio.NewScanner(f)
	for scanner.Scan() {
		all = append(all, scanner.Text())
	}
	return all
}
