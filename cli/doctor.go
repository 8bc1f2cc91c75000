package cli

import (
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/urfave/cli/v2"

	"revela/internal/machine"
	"revela/torch"
)

func doctorCommand() command {
	return command{
		name:    "doctor",
		summary: "what the program runs on, and what to do about what is missing",
		details: "Shows versions, the libtorch that is loaded, the cores, memory and instruction sets of this machine, how fast\n" +
			"it multiplies in fp32 and bf16 (measured, which also settles what precision: auto is), and whether a GPU can be used.",
		examples: []string{"revela doctor", "revela doctor --json"},
		flags:    []cli.Flag{jsonFlag()},
		run:      runDoctor,
	}
}

// diagnosis is what the doctor finds.
type diagnosis struct {
	Version      string `json:"version"`
	Go           string `json:"go"`
	Gotch        string `json:"gotch"`
	Libtorch     string `json:"libtorch"`
	Library      string `json:"library"` // the file of libtorch that is loaded
	System       string `json:"system"`
	CPU          string `json:"cpu"`
	Cores        int    `json:"cores"` // that this process may use
	Present      int    `json:"cores_present"`
	Instructions string `json:"instructions"` // that libtorch's kernels use
	BF16         string `json:"bf16"`         // the instructions that multiply bf16; empty: it is emulated
	Memory       int64  `json:"memory"`       // bytes
	Available    int64  `json:"memory_available"`
	Driver       string `json:"nvidia_driver"`
	CUDA         bool   `json:"cuda"`         // device: auto is a GPU
	CUDALibrary  string `json:"cuda_library"` // the CUDA half of libtorch
	CUDAVersion  string `json:"cuda_version"` // that it is built for, once loaded
	CUDAFlash    bool   `json:"cuda_flash_attention"`
	CUDAKernels  string `json:"cuda_kernels"` // "compiled", or why the program's own kernels are not
	CUDAError    string `json:"cuda_error,omitempty"`

	GPUs        []torch.CUDADevice `json:"gpus"`
	driverError string

	machine.Products        // measured now, and kept for precision: auto
	Precision        string `json:"precision"` // that precision: auto is on this CPU
}

func runDoctor(ctx *cli.Context) error {
	c, err := configuration(ctx, nil)
	if err != nil {
		return err
	}
	torch.SetThreads(c.Threads)
	d, err := diagnose()
	if err != nil {
		return err
	}
	if ctx.Bool("json") {
		return printJSON(ctx, d)
	}
	d.print(ctx.App.Writer)
	return nil
}

func diagnose() (*diagnosis, error) {
	m := machine.Read()
	d := &diagnosis{
		Version: Version(), Go: runtime.Version(), Gotch: gotchVersion(), Libtorch: torch.Version,
		Library: machine.Library("libtorch_cpu.so"), System: runtime.GOOS + "/" + runtime.GOARCH,
		CPU: m.CPU, Cores: m.Cores, Present: m.Present, Instructions: torch.CPUCapability(), BF16: m.BF16(),
		Memory: m.Memory, Available: m.Available, Driver: machine.NVIDIADriver(),
	}
	d.lookForCUDA()
	products, err := machine.MeasureProducts()
	d.Products, d.Precision = products, products.Precision()
	return d, err
}

// lookForCUDA loads the CUDA half of libtorch where it is there, with or without a GPU.
func (d *diagnosis) lookForCUDA() {
	c := torch.FindCUDA()
	d.GPUs, d.CUDALibrary, d.driverError = c.Devices, c.Library, c.DriverError
	if c.Library == "" {
		return
	}
	if err := torch.LoadCUDA(c.Library); err != nil {
		d.CUDAError = err.Error()
		return
	}
	d.CUDAVersion, d.CUDAFlash = torch.CUDAVersion(), torch.HasCUDAKernel("aten::_flash_attention_forward")
	d.CUDA = len(c.Devices) > 0
	d.CUDAKernels = kernelsCompiled
	if _, err := torch.CompileKernels(architecture(c.Devices), torch.BFloat16); err != nil {
		d.CUDAKernels = err.Error()
	}
}

// kernelsCompiled is what diagnosis.CUDAKernels says where all is well.
const kernelsCompiled = "compiled"

// architecture names the first GPU's as NVIDIA's compiler does; without one it is an H100's.
func architecture(gpus []torch.CUDADevice) string {
	if len(gpus) == 0 {
		return "sm_90"
	}
	return fmt.Sprintf("sm_%d%d", gpus[0].Major, gpus[0].Minor)
}

func (d *diagnosis) print(w io.Writer) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-10s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("revela", "%s, %s, %s", d.Version, d.Go, d.System)
	line("libtorch", "%s, %s", d.Libtorch, d.Library)
	line("gotch", "%s", d.Gotch)
	line("cpu", "%s, %d of %d cores may be used, %s", d.CPU, d.Cores, d.Present, d.Instructions)
	line("memory", "%s, %s available", size(d.Memory), size(d.Available))
	line("fp32", "%.0f GFLOP/s measured", d.FP32/1e9)
	line("bf16", "%.0f GFLOP/s measured, %.2f × fp32, %s", d.Products.BF16/1e9, d.Ratio(), d.bf16Advice())
	line("cuda", "%s", d.cudaAdvice())
	for _, advice := range d.advice() {
		line("advice", "%s", advice)
	}
}

func (d *diagnosis) bf16Advice() string {
	how := "emulated: no amx_bf16 or avx512_bf16"
	if d.BF16 != "" {
		how = "with " + d.BF16
	}
	return how + "; precision: auto is " + d.Precision + " here"
}

// cudaAdvice says what the program runs on and why.
func (d *diagnosis) cudaAdvice() string {
	switch {
	case d.CUDAError != "":
		return "not used: " + d.CUDAError
	case d.CUDALibrary == "" && d.driverError != "":
		return "not used: " + d.driverError
	case d.CUDALibrary == "":
		return "not used: " + d.gpus() + ", but libtorch is the CPU's alone; `make setup-cuda` fetches the rest"
	case d.CUDA:
		return fmt.Sprintf("CUDA libtorch loaded, for CUDA %s; used: %s", d.CUDAVersion, d.gpus())
	}
	return fmt.Sprintf("CUDA libtorch loaded, for CUDA %s, no device: %s", d.CUDAVersion, d.driverError)
}

// gpus names the devices.
func (d *diagnosis) gpus() string {
	var names []string
	for i, g := range d.GPUs {
		names = append(names, fmt.Sprintf("cuda:%d %s (%s, compute capability %d.%d)", i, g.Name, size(g.Memory), g.Major, g.Minor))
	}
	return strings.Join(names, ", ")
}

// advice is what to do about what is missing.
func (d *diagnosis) advice() []string {
	var advice []string
	if d.Cores < d.Present {
		advice = append(advice, fmt.Sprintf("%d cores are kept from this process (affinity or container limits)", d.Present-d.Cores))
	}
	if d.Available > 0 && d.Available < 4e9 {
		advice = append(advice, "less than 4 GB of memory is available; the quick start takes about that much")
	}
	if d.CUDA && d.CUDAKernels != kernelsCompiled {
		advice = append(advice, "libtorch's operations stand in for the program's own on the GPU, slower: "+d.CUDAKernels)
	}
	return advice
}
