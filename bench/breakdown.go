package bench

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"revela/internal/machine"
	"revela/torch"
	"revela/torch/profile"
)

// Breakdown says where the time of a step goes: on the CPU that of the calls that were observed, on a GPU that of its kernels.
type Breakdown struct {
	Seconds   float64     `json:"seconds"`    // of the step; on the CPU the observer's own cost is in it
	FLOPs     float64     `json:"flops"`      // the products that the step cannot do without; see flops
	FLOPRate  float64     `json:"flop_rate"`  // FLOPs over Seconds
	GEMMRate  float64     `json:"gemm_rate"`  // of a large product in the same type on the same threads; see besideGEMM
	PeakShare float64     `json:"peak_share"` // FLOPRate over GEMMRate
	GEMM      float64     `json:"gemm"`       // shares of Seconds: matrix products outside attention and loss
	Attention float64     `json:"attention"`  // scores, softmax and values, forward and backward
	Loss      float64     `json:"loss"`       // linear head and cross entropy
	Optimizer float64     `json:"optimizer"`  // clipping and AdamW
	Other     float64     `json:"other"`      // all other operations of libtorch and the shim
	Between   float64     `json:"between"`    // between operations: Go, the engine of backward, freeing memory; a GPU waits
	Host      float64     `json:"host"`       // tokenising and batching a group, over Seconds; it overlaps with the step
	Largest   []Operation `json:"largest"`    // what is largest, by name
}

// Operation is the share of the step that all calls of a name take, without what they call.
type Operation struct {
	Name  string  `json:"name"`
	Part  string  `json:"part"`
	Share float64 `json:"share"`
	Calls int     `json:"calls"`
}

// Sides of the square product that a step is held against, on the CPU and on a device.
const (
	gemmSize         = 2048
	gemmSizeOnDevice = 8192
)

// besideGEMM runs work between two measurements of a large product's rate and returns their mean, to hold the work against:
// a processor's clock wanders by a fifth and more within minutes, so a peak of another time says nothing.
func besideGEMM(dtype torch.DType, work func() error) (float64, error) {
	before, err := gemmRate(dtype)
	if err != nil {
		return 0, err
	}
	if err := work(); err != nil {
		return 0, err
	}
	after, err := gemmRate(dtype)
	return (before + after) / 2, err
}

// gemmRate is the rate of a large product, in floating point operations a second.
func gemmRate(dtype torch.DType) (float64, error) {
	size := int64(gemmSize)
	if torch.OnDevice() {
		size = gemmSizeOnDevice
	}
	return machine.MultiplyRate(dtype, size, 500*time.Millisecond)
}

// observe takes one more step under the profiler.
func (r *stepRun) observe(o StepOptions) (*Breakdown, error) {
	b := r.last()
	pairs, learning, err := r.objective.Sparsity(b)
	if err != nil {
		return nil, err
	}
	work := countFlops(r.models, b, pairs, learning, o.DType)
	watch := r.profiled
	if onCUDA() {
		watch = r.kernels
	}
	var calls []profile.Call
	var seconds float64
	rate, err := besideGEMM(o.DType, func() (err error) {
		calls, seconds, err = watch()
		return err
	})
	if err != nil {
		return nil, err
	}
	d := &Breakdown{Seconds: seconds, FLOPs: work.total(), FLOPRate: work.total() / seconds, GEMMRate: rate}
	d.PeakShare = d.FLOPRate / d.GEMMRate
	d.Host = r.hostSeconds / seconds
	d.divide(calls)
	return d, nil
}

func onCUDA() bool { return strings.HasPrefix(torch.Device(), "cuda") }

// profiled runs the last batch once more and tells what was called.
func (r *stepRun) profiled() ([]profile.Call, float64, error) {
	if err := profile.Start(); err != nil {
		return nil, 0, err
	}
	start := time.Now()
	_, err := r.stepper.Step(r.last(), 1e-4)
	seconds := time.Since(start).Seconds()
	calls := profile.Stop()
	if err != nil {
		return nil, 0, fmt.Errorf("observed step: %w", err)
	}
	return calls, seconds, nil
}

// kernels runs the last batch four times more: thrice for the time that it takes, whose median is returned, and once for the kernels
// that a GPU runs for it.
func (r *stepRun) kernels() ([]profile.Call, float64, error) {
	var seconds []float64
	for range 3 {
		start := time.Now()
		if err := r.again(); err != nil {
			return nil, 0, err
		}
		seconds = append(seconds, time.Since(start).Seconds())
	}
	calls, err := profile.Kernels(r.again)
	return calls, median(seconds), err
}

// again runs the last batch once more and waits for the device.
func (r *stepRun) again() error {
	if _, err := r.stepper.Step(r.last(), 1e-4); err != nil {
		return fmt.Errorf("observed step: %w", err)
	}
	return torch.Synchronize()
}

// trace runs the last batch once more for a time line.
func (r *stepRun) trace(path string) error {
	return profile.Trace(path, onCUDA(), r.again)
}

// divide sums calls by the part of the step that they belong to.
func (d *Breakdown) divide(calls []profile.Call) {
	named := map[string]*Operation{}
	sums := map[string]float64{}
	rest := d.Seconds
	for _, c := range calls {
		part, share := partOf(c.Path), c.Self.Seconds()/d.Seconds
		sums[part] += share
		rest -= c.Self.Seconds()
		key := part + " " + c.Name()
		if named[key] == nil {
			named[key] = &Operation{Name: plainName(c.Name()), Part: part}
		}
		named[key].Share += share
		named[key].Calls += c.Count
	}
	d.GEMM, d.Attention, d.Loss, d.Optimizer = sums["gemm"], sums["attention"], sums["loss"], sums["optimizer"]
	d.Other, d.Between = sums["other"], sums["between"]+rest/d.Seconds
	for _, o := range named {
		d.Largest = append(d.Largest, *o)
	}
	slices.SortFunc(d.Largest, func(a, b Operation) int {
		if a.Share != b.Share {
			return int(1e9 * (b.Share - a.Share))
		}
		return strings.Compare(a.Name, b.Name)
	})
	d.Largest = d.Largest[:min(12, len(d.Largest))]
}

// parts tells a part of the step by words in the names of its calls, from the outermost call in. What is called inside
// attention, loss and optimiser belongs to them.
var parts = []struct {
	part  string
	words []string
}{
	{"attention", []string{"attention"}},
	{"loss", []string{"crossentropy"}},
	{"optimizer", []string{"adamw", "gradientnorm", "foreachnorm", "foreachmul", "scale"}},
}

// products are the names of matrix products: libtorch's, and our own for frozen bf16 weights and LoRA.
var products = []string{"aten::mm", "aten::addmm", "aten::addmm_", "aten::bmm", "aten::baddbmm", "aten::_addmm_activation",
	"aten::mkldnn_linear", "mkldnn::_linear_pointwise", "revela::gemm", "revela::panels", "revela::lower", "revela::thin"}

func partOf(path []string) string {
	for _, name := range path {
		plain := strings.NewReplacer("_", "", " ", "").Replace(strings.ToLower(name))
		for _, p := range parts {
			if slices.ContainsFunc(p.words, func(word string) bool { return strings.Contains(plain, word) }) {
				return p.part
			}
		}
	}
	switch name := path[len(path)-1]; {
	case slices.Contains(products, name):
		return "gemm"
	case name == "backward":
		return "between"
	}
	return "other"
}

// plainName shortens what C++ calls the backward of a fused operation.
func plainName(name string) string {
	if inner, ok := strings.CutPrefix(name, "torch::autograd::CppNode<"); ok {
		return strings.TrimPrefix(strings.TrimSuffix(inner, ">"), "(anonymous namespace)::") + " backward"
	}
	return name
}

// Print writes the breakdown for people.
func (d *Breakdown) Print(w io.Writer) {
	fmt.Fprintf(w, "products    %.3g TFLOP a step, %.0f GFLOP/s, %.1f %% of a large product's %.0f\n",
		d.FLOPs/1e12, d.FLOPRate/1e9, 100*d.PeakShare, d.GEMMRate/1e9)
	for _, line := range []struct {
		name  string
		share float64
		note  string
	}{
		{"gemm", d.GEMM, ""}, {"attention", d.Attention, ""}, {"loss", d.Loss, ""}, {"optimizer", d.Optimizer, ""},
		{"other", d.Other, "other operations"}, {"between", d.Between, "between operations"},
		{"host", d.Host, "tokenising and batching, beside the step"},
	} {
		fmt.Fprintf(w, "%-12s%5.1f %%  %s\n", line.name, 100*line.share, line.note)
	}
	for _, o := range d.Largest {
		fmt.Fprintf(w, "%12.1f %%  %s, %s, %d calls\n", 100*o.Share, o.Name, o.Part, o.Calls)
	}
}
