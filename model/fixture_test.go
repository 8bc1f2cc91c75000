package model

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"revela/internal/testdata"
	"revela/model/checkpoint"
	"revela/torch"
)

// fixture reads tensors of a golden file as float64.
type fixture struct {
	t    *testing.T
	file *checkpoint.Weights
}

func openFixture(t *testing.T, elem ...string) fixture {
	t.Helper()
	w, err := checkpoint.ReadSafetensors(filepath.Join(append([]string{testdata.Fixtures(t)}, elem...)...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return fixture{t, w}
}

func (f fixture) has(name string) bool {
	_, ok := f.file.Info(name)
	return ok
}

func (f fixture) tensor(s *torch.Scope, name string) torch.Tensor {
	f.t.Helper()
	x, ok, err := f.file.Tensor(name)
	if err != nil || !ok {
		f.t.Fatalf("fixture tensor %s: found %v, error %v", name, ok, err)
	}
	dtype := map[checkpoint.DType]torch.DType{checkpoint.F32: torch.Float32, checkpoint.BF16: torch.BFloat16,
		checkpoint.I64: torch.Int64}[x.DType]
	return s.FromBytes(x.Data, dtype, x.Shape...)
}

func (f fixture) values(name string) []float64 {
	f.t.Helper()
	s := torch.NewScope()
	defer s.Close()
	return values(f.t, f.tensor(s, name))
}

func (f fixture) ints(name string) []int64 {
	f.t.Helper()
	s := torch.NewScope()
	defer s.Close()
	x, err := torch.Read[int64](f.tensor(s, name))
	if err != nil {
		f.t.Fatal(err)
	}
	return x
}

func values(t *testing.T, x torch.Tensor) []float64 {
	t.Helper()
	v, err := torch.Read[float64](x)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func readJSON(t *testing.T, into any, elem ...string) {
	t.Helper()
	path := filepath.Join(elem...)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// largest is the largest absolute difference; it fails on NaN and on other lengths.
func largest(t *testing.T, got, want []float64) float64 {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d values, want %d", len(got), len(want))
	}
	worst := 0.0
	for i := range got {
		if math.IsNaN(got[i]) {
			t.Fatalf("value %d is NaN, want %v", i, want[i])
		}
		worst = math.Max(worst, math.Abs(got[i]-want[i]))
	}
	return worst
}

// rows picks the real positions of padded [n, length, width] values by the mask [n, length].
func rows(padded []float64, mask []int64, width int) []float64 {
	var real []float64
	for i, m := range mask {
		if m == 1 {
			real = append(real, padded[i*width:(i+1)*width]...)
		}
	}
	return real
}

// unpad makes a packed batch of padded ids [n, length].
func unpad(ids, mask []int64, length int) *Packed {
	var sequences [][]int32
	for at := 0; at < len(ids); at += length {
		var s []int32
		for i := at; i < at+length; i++ {
			if mask[i] == 1 {
				s = append(s, int32(ids[i]))
			}
		}
		sequences = append(sequences, s)
	}
	return Pack(sequences)
}
