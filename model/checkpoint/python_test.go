package checkpoint

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// python runs a script with the Python of $REVELA_PYTHON, which has safetensors and huggingface_hub, and returns what it
// prints.
func python(t *testing.T, script string, env ...string) string {
	t.Helper()
	program := os.Getenv("REVELA_PYTHON")
	if program == "" {
		t.Skip("set REVELA_PYTHON to a Python with safetensors, numpy and huggingface_hub to run this test")
	}
	cmd := exec.Command(program, "-c", script)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestPythonReadsOurSafetensors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	tensors := []Tensor{
		{Name: "b", DType: F32, Shape: []int64{2, 2}, Data: floats(1, 2, 3, 4)},
		{Name: "scalar", DType: I64, Data: []byte{7, 0, 0, 0, 0, 0, 0, 0}},
		{Name: "empty", DType: F16, Shape: []int64{0, 4}},
		{Name: "flags", DType: BOOL, Shape: []int64{3}, Data: []byte{1, 0, 1}},
	}
	if err := WriteSafetensors(path, tensors, nil); err != nil {
		t.Fatal(err)
	}
	got := python(t, `
import sys, safetensors, safetensors.numpy as s
path = "`+path+`"
with safetensors.safe_open(path, "np") as f:
    print(f.metadata(), sorted((k, f.get_tensor(k).dtype.name, f.get_tensor(k).tolist()) for k in f.keys()))
d = s.load_file(path)
print(s.save(d, metadata={"format": "pt"}) == open(path, "rb").read())
`)
	want := "{'format': 'pt'} [('b', 'float32', [[1.0, 2.0], [3.0, 4.0]]), ('empty', 'float16', []), ('flags', 'bool', [True, False, True]), ('scalar', 'int64', 7)]\nTrue"
	if got != want {
		t.Errorf("Python reads\n%s\nwant\n%s", got, want)
	}
}

// Python's own client, offline, finds what this package put into the cache; online, it agrees with what is there; and
// what it put there is found by this package.
func TestPythonSharesTheCache(t *testing.T) {
	h := newFakeHub(t, map[string]map[string]string{"models/org/name": model()})
	r, cache := h.resolver()
	dir := resolve(t, r, "org/name", "")
	const find = `
from huggingface_hub import snapshot_download, hf_hub_download, scan_cache_dir
print(snapshot_download("org/name", allow_patterns=["*.json", "model.safetensors"]))
print(hf_hub_download("org/name", "1_Pooling/config.json"))
info = scan_cache_dir()
print([(r.repo_id, r.nb_files, sorted(r.refs)) for r in info.repos], len(info.warnings))
`
	home := filepath.Dir(cache)
	want := dir + "\n" + dir + "/1_Pooling/config.json\n[('org/name', 6, ['main'])] 0"
	if got := python(t, find, "HF_HOME="+home, "HF_HUB_OFFLINE=1", "HF_HUB_CACHE="+cache); got != want {
		t.Errorf("Python finds\n%s\nwant\n%s", got, want)
	}
	other := t.TempDir()
	const fetch = `
from huggingface_hub import hf_hub_download
for file in ["1_Pooling/config.json", "config.json", "modules.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"]:
    path = hf_hub_download("org/name", file)
print(path)
`
	theirs := python(t, fetch, "HF_HOME="+other, "HF_HUB_CACHE="+filepath.Join(other, "hub"), "HF_ENDPOINT="+h.Server.URL, "HF_HUB_DISABLE_XET=1",
		"HF_HUB_DISABLE_PROGRESS_BARS=1")
	offline, _ := h.resolver("HF_HOME="+other, "HF_HUB_OFFLINE=1")
	if got := resolve(t, offline, "org/name", ""); filepath.Join(got, weightsFile) != lastLine(theirs) {
		t.Errorf("found %s, Python put it in %s", got, theirs)
	}
	ours, pythons := strings.Join(tree(t, cache), "\n"), strings.Join(tree(t, filepath.Join(other, "hub")), "\n")
	if got, want := layout(ours), layout(pythons); got != want {
		t.Errorf("the cache has\n%s\nPython's has\n%s", got, want)
	}
}

func lastLine(s string) string { return s[strings.LastIndex(s, "\n")+1:] }

// layout keeps the paths that are part of the shared layout.
func layout(paths string) string {
	var kept []string
	for path := range strings.Lines(paths) {
		if strings.HasPrefix(path, "models--") && !strings.Contains(path, "/.") {
			kept = append(kept, strings.TrimSpace(path))
		}
	}
	return strings.Join(kept, "\n")
}
