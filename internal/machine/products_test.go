package machine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestProductsPrecision(t *testing.T) {
	for _, test := range []struct {
		p    Products
		want string
	}{
		{Products{FP32: 190e9, BF16: 420e9}, "bf16"},
		{Products{FP32: 190e9, BF16: 200e9}, "fp32"},
		{Products{FP32: 190e9, BF16: 3e9}, "fp32"},
		{Products{}, "fp32"},
	} {
		if got := test.p.Precision(); got != test.want {
			t.Errorf("%+v: %v, want %v", test.p, got, test.want)
		}
	}
}

// What has been measured is kept, and what is kept is believed until it is broken.
func TestPrecision(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	measured, err := MeasureProducts()
	if err != nil || measured.FP32 <= 0 || measured.BF16 <= 0 {
		t.Fatalf("got %+v, %v", measured, err)
	}
	files, err := filepath.Glob(filepath.Join(cache, "revela", "products", "*libtorch-*.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("files %v, %v", files, err)
	}
	if kept, ok := readProducts(); !ok || kept != measured {
		t.Errorf("kept %+v, measured %+v", kept, measured)
	}
	for content, want := range map[string]string{
		`{"fp32_flops": 100, "bf16_flops": 200}`: "bf16",
		`{"fp32_flops": 100, "bf16_flops": 100}`: "fp32",
	} {
		replace(t, files[0], content)
		if got, err := Precision(); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", content, got, err, want)
		}
	}
	replace(t, files[0], `{"fp32_flops": 1`)
	if _, err := Precision(); err != nil {
		t.Error(err)
	}
	if content, err := os.ReadFile(files[0]); err != nil || !strings.HasSuffix(string(content), "}\n") {
		t.Errorf("a broken file was not measured again: %q, %v", content, err)
	}
}

// Nothing depends on the cache folder.
func TestPrecisionWithoutCache(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	replace(t, file, "")
	t.Setenv("XDG_CACHE_HOME", file)
	if got, err := Precision(); err != nil || got != "fp32" && got != "bf16" {
		t.Errorf("got %q, %v", got, err)
	}
}

func replace(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
