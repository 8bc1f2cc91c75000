// Package ondevice runs tests on the fake device, or on the GPU that $REVELA_TEST_DEVICE names.
package ondevice

import (
	"os"
	"testing"
	"time"

	"revela/internal/fakedevice"
	"revela/torch"
)

// gpu is the device that is asked for; libtorch must find it before a test makes its first tensor.
var gpu, gpuErr = findGPU()

func findGPU() (string, error) {
	name := os.Getenv("REVELA_TEST_DEVICE")
	if name == "" {
		return "", nil
	}
	name, err := torch.SelectDevice(name)
	if err != nil {
		return "", err
	}
	return name, torch.UseDevice("cpu")
}

// Fake reports whether tests run on the fake device.
func Fake() bool { return gpu == "" }

// Run runs tests with all new tensors on a device that is not the CPU, and checks that they leave no memory of it in use.
func Run(t *testing.T, tests map[string]func(*testing.T)) {
	t.Helper()
	if gpuErr != nil {
		t.Fatalf("REVELA_TEST_DEVICE: %v", gpuErr)
	}
	device := gpu
	if device == "" {
		device = fakedevice.Name()
	}
	use(t, device)
	defer use(t, "cpu")
	before := used(t)
	for name, test := range tests {
		t.Run(name, test)
	}
	use(t, device)                                                 // anew: frees what is kept between calls
	if after := settled(t, before); after != before && gpu == "" { // CUDA's libraries keep some for themselves
		t.Errorf("%d bytes of the device are in use after the tests, %d before", after, before)
	}
}

// settled is the memory in use once it is what is expected, or after a second: on a device that is not the CPU libtorch runs
// backward on a thread of its own, which lets go of its last tensors a moment after backward has returned.
func settled(t *testing.T, expected int64) int64 {
	t.Helper()
	after := used(t)
	for deadline := time.Now().Add(time.Second); after != expected && time.Now().Before(deadline); after = used(t) {
		time.Sleep(10 * time.Millisecond)
	}
	return after
}

func use(t *testing.T, name string) {
	t.Helper()
	if err := torch.UseDevice(name); err != nil {
		t.Fatal(err)
	}
}

func used(t *testing.T) int64 {
	t.Helper()
	memory, err := torch.ReadDeviceMemory(true)
	if err != nil {
		t.Fatal(err)
	}
	return memory.Used
}
