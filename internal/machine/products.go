package machine

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"revela/internal/atomicfile"
	"revela/torch"
)

// Products are the rates of large matrix products on this machine's CPU, in floating point operations a second.
type Products struct {
	FP32 float64 `json:"fp32_flops"`
	BF16 float64 `json:"bf16_flops"`
}

// fastRatio is how much faster than fp32 bf16 must be for `precision: auto` to take it: below it, rounding buys nothing.
// Processors with AVX512-BF16 or AMX are at 2 and more, those that convert to fp32 and back at less than 1.
const fastRatio = 1.25

// Ratio is the rate of bf16 as a multiple of that of fp32.
func (p Products) Ratio() float64 { return p.BF16 / p.FP32 }

// Precision is "bf16" where the processor multiplies it so much faster than fp32 that training and encoding should use it, else
// "fp32".
func (p Products) Precision() string {
	if p.FP32 > 0 && p.Ratio() >= fastRatio {
		return "bf16"
	}
	return "fp32"
}

// Precision is what `auto` stands for on this CPU, or on the device that tensors are made on: "bf16" where it multiplies that
// fast, else "fp32". The first question on a machine takes a tenth of a second to measure; the answer is kept in the user's
// cache folder.
func Precision() (string, error) {
	if torch.OnDevice() {
		if torch.DeviceMultipliesBF16() {
			return "bf16", nil
		}
		return "fp32", nil
	}
	p, ok := readProducts()
	if !ok {
		var err error
		if p, err = MeasureProducts(); err != nil {
			return "", err
		}
	}
	return p.Precision(), nil
}

// MeasureProducts measures the rates and keeps them for [Precision]. Where the cache folder cannot be written, the next
// program measures again.
func MeasureProducts() (Products, error) {
	p, err := measureProducts()
	if err != nil {
		return p, err
	}
	if path, err := productsFile(); err == nil {
		writeProducts(path, p)
	}
	return p, nil
}

// measureProducts takes small products first: where bf16 is emulated, a large one takes seconds.
func measureProducts() (p Products, err error) {
	const hopeless = 0.5 // of fp32's rate; larger products do not turn that around
	for _, n := range []int64{256, 256, 1024, 1024} {
		atLeast := time.Duration(n) * 25 * time.Microsecond
		fp32, err := MultiplyRate(torch.Float32, n, atLeast) // in turn: what else runs here then slows both
		if err != nil {
			return p, err
		}
		bf16, err := MultiplyRate(torch.BFloat16, n, atLeast)
		if err != nil {
			return p, err
		}
		p.FP32, p.BF16 = max(p.FP32, fp32), max(p.BF16, bf16)
		if p.Ratio() < hopeless {
			break
		}
	}
	return p, nil
}

// productsFile is the file that keeps the rates of one processor and libtorch.
func productsFile() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	m := Read()
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' {
			return r
		}
		return '-'
	}, fmt.Sprintf("%s %s %s libtorch %s", m.CPU, torch.CPUCapability(), m.BF16(), torch.Version))
	return filepath.Join(dir, "revela", "products", name+".json"), nil
}

func readProducts() (p Products, ok bool) {
	path, err := productsFile()
	if err != nil {
		return p, false
	}
	content, err := os.ReadFile(path)
	return p, err == nil && json.Unmarshal(content, &p) == nil && p.FP32 > 0 && p.BF16 > 0
}

func writeProducts(path string, p Products) error {
	content, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return atomicfile.WriteBytes(path, append(content, '\n'))
}
