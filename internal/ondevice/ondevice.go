// Package ondevice runs tests on the fake device.
package ondevice

import (
	"testing"

	"revela/internal/fakedevice"
	"revela/torch"
)

// Run runs tests with all new tensors on a device that is not the CPU, and checks that they leave no memory of it in use.
func Run(t *testing.T, tests map[string]func(*testing.T)) {
	t.Helper()
	use(t, fakedevice.Name)
	defer use(t, "cpu")
	before := used(t)
	for name, test := range tests {
		t.Run(name, test)
	}
	if after := used(t); after != before {
		t.Errorf("%d bytes of the device are in use after the tests, %d before", after, before)
	}
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
