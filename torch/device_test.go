package torch

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"revela/internal/fakedevice"
)

// testDevice is the fake device, or one of CUDA that $REVELA_TEST_DEVICE names.
var testDevice, onFake = "", true

func TestMain(m *testing.M) {
	if name := os.Getenv("REVELA_TEST_DEVICE"); name != "" {
		if _, err := SelectDevice(name); err != nil { // before the first tensor
			fmt.Fprintln(os.Stderr, "REVELA_TEST_DEVICE:", err)
			os.Exit(1)
		}
		testDevice, onFake = Device(), false
	} else {
		testDevice = fakedevice.Name()
	}
	if err := UseDevice("cpu"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// onDevice makes all tensors of a test on a device that is not the CPU.
func onDevice(t *testing.T) {
	t.Helper()
	if err := UseDevice(testDevice); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := UseDevice("cpu"); err != nil {
			t.Error(err)
		}
	})
}

// What devices compute by other code than the CPU has the gradients that finite differences give.
func TestGradientsOnDevice(t *testing.T) {
	onDevice(t)
	for name, test := range map[string]func(*testing.T){
		"attention": TestGradientOfAttention, "self-attention": TestGradientOfSelfAttention,
		"lockstep": TestGradientOfLockstepAttention, "rms_norm": TestGradientOfRMSNorm,
		"rope": TestGradientOfRope, "linear_cross_entropy": TestGradientOfLinearCrossEntropy,
		"project": TestGradientOfProject, "norm_project": TestGradientOfNormProject, "gated_mlp": TestGradientOfGatedMLP,
	} {
		t.Run(name, test)
	}
}

// Values and gradients are those of the CPU, whichever of flash attention (bf16) and padded products (fp32) serves.
func TestDeviceEqualsCPU(t *testing.T) {
	compute := func(t *testing.T, dtype DType, operation func(*Scope, DType) ([]Tensor, Tensor)) [][]float64 {
		s := NewScope()
		defer s.Close()
		s.Fail(Seed(5))
		in, out := operation(s, dtype)
		var probe []Tensor // none for a scalar
		if shape := s.Shape(out); len(shape) > 0 {
			probe = []Tensor{s.Randn(s.DType(out), shape...)}
		}
		results := append([]Tensor{out}, s.Grad([]Tensor{out}, probe, in, false)...)
		if s.Err() != nil {
			t.Fatal(s.Err())
		}
		var values [][]float64
		for _, x := range results {
			values = append(values, read(t, x))
		}
		return values
	}
	t.Run("kernels", func(t *testing.T) {
		onDevice(t)
		if message := KernelError(); message != "" {
			t.Errorf("the program's own kernels are not used: %s", message)
		}
	})
	for dtype, tolerance := range map[DType]float64{Float32: 3e-6, BFloat16: 2e-2} {
		for name, operation := range operations {
			t.Run(fmt.Sprintf("%s %v", name, dtype), func(t *testing.T) {
				want := compute(t, dtype, operation)
				onDevice(t)
				calls := fakedevice.FlashCalls()
				for i, got := range compute(t, dtype, operation) {
					if d := difference(t, got, want[i]); d > tolerance {
						t.Errorf("result %d (0: value, then gradients) differs by %.2e of its largest value, at most %.0e allowed", i, d, tolerance)
					}
				}
				flash := strings.Contains(name, "attention") && dtype == BFloat16 && onFake
				if flash && fakedevice.FlashCalls() == calls {
					t.Error("flash attention was not called")
				}
			})
		}
	}
}

// A tensor left on the CPU is found: else the tests on this device would show nothing.
func TestDevicesDoNotMix(t *testing.T) {
	s := NewScope()
	defer s.Close()
	left := s.Randn(Float32, 3, 3)
	onDevice(t)
	if s.MatMul(s.Randn(Float32, 3, 3), left); s.Err() == nil {
		t.Error("the product of a tensor of the device and one of the CPU worked")
	}
}

func TestDeviceMemoryIsFreedAtOnce(t *testing.T) {
	onDevice(t)
	before, err := ReadDeviceMemory(true)
	if err != nil {
		t.Fatal(err)
	}
	s := NewScope()
	x := s.Randn(Float32, 256, 1024) // 1 MiB
	s.Sub(func(sub *Scope) []Tensor { return []Tensor{sub.Sum(sub.Add(sub.Scale(x, 2), x))} })
	inside, err := ReadDeviceMemory(false)
	if err != nil || s.Err() != nil {
		t.Fatal(err, s.Err())
	}
	s.Close()
	after, err := ReadDeviceMemory(true)
	if err != nil {
		t.Fatal(err)
	}
	if used := inside.Used - before.Used; used < 1<<20 || used > 1<<20+1<<12 {
		t.Errorf("%d bytes used with one tensor of 1 MiB alive", used)
	}
	if most := after.Peak - before.Used; most < 3<<20 {
		t.Errorf("the peak was %d bytes, want that of three tensors of 1 MiB", most)
	}
	if after.Used != before.Used {
		t.Errorf("%d bytes used after the scope has closed, %d before", after.Used, before.Used)
	}
}

func TestDeviceOutOfMemory(t *testing.T) {
	onDevice(t)
	s := NewScope()
	defer s.Close()
	if s.Zeros(Float32, 1<<40); !OutOfMemory(s.Err()) || !strings.HasPrefix(s.Err().Error(), "zeros: ") || strings.Contains(s.Err().Error(), "\n") {
		t.Errorf("4 TiB on the device gave %v, want one line that says out of memory", s.Err())
	}
}

func TestRandomStateOnDevice(t *testing.T) {
	onDevice(t)
	TestRandomStateRepeats(t)
}

func TestSelectDevice(t *testing.T) {
	if c := FindCUDA(); c.DriverError == "" {
		t.Skipf("this machine has CUDA devices: %+v", c.Devices)
	}
	if name, err := SelectDevice("auto"); err != nil || name != "cpu" || OnDevice() {
		t.Errorf("auto gave %q, %v", name, err)
	}
	for _, name := range []string{"cuda", "cuda:1"} {
		_, err := SelectDevice(name)
		if err == nil || !strings.Contains(err.Error(), "found "+name) || !strings.Contains(err.Error(), "driver") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s gave %v, want one line that says what is missing", name, err)
		}
	}
	if err := UseDevice("nothing:0"); err == nil {
		t.Error("a device of no name that libtorch knows was taken")
	}
}

// The CUDA half of libtorch, where `make check-cuda` has put it, resolves all its symbols in this program and brings what
// the program counts on; without a GPU, to use one is an error and the CPU goes on computing.
func TestCUDAHalf(t *testing.T) {
	c := FindCUDA()
	if os.Getenv("REVELA_CUDA") == "" || c.Library == "" {
		t.Skip("REVELA_CUDA is not set, or the CUDA half of libtorch is missing: make check-cuda")
	}
	if err := LoadCUDA(c.Library); err != nil {
		t.Fatal(err)
	}
	if version := CUDAVersion(); version < "12" {
		t.Errorf("built for CUDA %q", version)
	}
	for _, operation := range []string{"aten::mm", "aten::addmm", "aten::_flash_attention_forward",
		"aten::_flash_attention_backward", "aten::_fused_adamw_"} {
		if !HasCUDAKernel(operation) {
			t.Errorf("%s has no kernel for CUDA", operation)
		}
	}
	for _, dtype := range []DType{Float32, Float64, BFloat16} {
		for _, gpu := range []string{"sm_80", "sm_90", "sm_100"} {
			if bytes, err := CompileKernels(gpu, dtype); err != nil || bytes == 0 {
				t.Errorf("kernels of type %d for %s have %d bytes: %v", dtype, gpu, bytes, err)
			}
		}
	}
	if c.DriverError != "" {
		if err := UseDevice("cuda:0"); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("to use a GPU that is not there gave %v, want an error of one line", err)
		}
	}
	s := NewScope()
	defer s.Close()
	if sum, err := s.Sum(s.MatMul(s.Randn(Float32, 4, 4), s.Zeros(Float32, 4, 4))).Float(); err != nil || sum != 0 || s.Err() != nil {
		t.Errorf("a product on the CPU gave %v, %v, %v", sum, err, s.Err())
	}
}
