package checkpoint

import (
	"bytes"
	"encoding/binary"
	"math"
	"path/filepath"
	"slices"
	"testing"
)

func TestFindNonFinite(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(-1)
	encode := map[DType]func(float64) []byte{
		F64:  func(v float64) []byte { return binary.LittleEndian.AppendUint64(nil, math.Float64bits(v)) },
		F32:  func(v float64) []byte { return floats(float32(v)) },
		BF16: func(v float64) []byte { return floats(float32(v))[2:] },
		F16: func(v float64) []byte {
			switch {
			case math.IsNaN(v):
				return []byte{0x01, 0x7c}
			case math.IsInf(v, -1):
				return []byte{0x00, 0xfc}
			}
			return []byte{0xff, 0x7b} // 65504
		},
	}
	for dtype, bytesOf := range encode {
		for n := range 11 {
			finite := bytes.Repeat(bytesOf(65504), n) // F16's largest number: an exponent one below all ones
			if i, _ := FindNonFinite(Tensor{DType: dtype, Data: finite}); i != -1 {
				t.Errorf("%s: index %d of %d finite numbers", dtype, i, n)
			}
			for at := range n {
				for _, bad := range []float64{nan, inf} {
					data := slices.Clone(finite)
					copy(data[at*int(dtype.Size()):], bytesOf(bad))
					i, v := FindNonFinite(Tensor{DType: dtype, Data: data})
					if i != int64(at) || math.IsNaN(bad) != math.IsNaN(v) || math.IsInf(bad, -1) != math.IsInf(v, -1) {
						t.Errorf("%s: found %v at %d of %d, want %v at %d", dtype, v, i, n, bad, at)
					}
				}
			}
		}
	}
	if i, _ := FindNonFinite(Tensor{DType: I32, Data: bytes.Repeat([]byte{255}, 16)}); i != -1 {
		t.Errorf("integers are finite, found index %d", i)
	}
}

func TestNonFiniteWeightsAreRefused(t *testing.T) {
	for value, word := range map[float64]string{math.NaN(): "NaN", math.Inf(1): "+Inf"} {
		dir := t.TempDir()
		path := filepath.Join(dir, weightsFile)
		tensor := Tensor{Name: "model.norm.weight", DType: F32, Shape: []int64{5}, Data: floats(1, 2, 3, float32(value), 5)}
		if err := WriteSafetensors(path, []Tensor{tensor}, nil); err != nil {
			t.Fatal(err)
		}
		w, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = w.Tensor("model.norm.weight")
		wantError(t, err, dir, "DIR/model.safetensors: tensor model.norm.weight holds "+word+" at index 3")
		plain, err := ReadSafetensors(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := plain.Tensor("model.norm.weight"); err != nil {
			t.Errorf("plain files may hold %s: %v", word, err)
		}
	}
}

func BenchmarkFindNonFinite(b *testing.B) {
	t := Tensor{DType: BF16, Data: make([]byte, 64<<20)}
	b.SetBytes(int64(len(t.Data)))
	for b.Loop() {
		FindNonFinite(t)
	}
}
