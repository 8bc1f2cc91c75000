package checkpoint

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"revela/internal/fakehub"
)

// model returns the files of a repository as they come: what is needed, and other forms of the weights.
func model() map[string]string {
	tensor := string(raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1))
	return map[string]string{
		"config.json": `{"model_type":"bert"}`, "tokenizer.json": "{}", "tokenizer_config.json": "{ }", "modules.json": "[]",
		"1_Pooling/config.json": `{"word_embedding_dimension":384}`, "model.safetensors": tensor,
		"README.md": "read me", "pytorch_model.bin": "pickle", "onnx/model.onnx": "onnx", "onnx/config.json": "{}", "model.Q4.gguf": "GGUF",
		"original/model.safetensors": tensor,
	}
}

func resolve(t *testing.T, r *Resolver, name, revision string) string {
	t.Helper()
	dir, err := r.Resolve(context.Background(), name, revision)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func tree(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(dir, path)
			files = append(files, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestHubDownload(t *testing.T) {
	h := newFakeHub(t, map[string]map[string]string{"models/org/name": model()})
	r, cache := h.resolver()
	var progress []string
	r.Progress = func(file string, done, total int64) {
		if done == total {
			progress = append(progress, fmt.Sprint(file, " ", total))
		}
	}
	dir := resolve(t, r, "org/name", "")
	if want := filepath.Join(cache, "models--org--name", "snapshots", commit); dir != want {
		t.Errorf("folder %s, want %s", dir, want)
	}
	want := []string{"1_Pooling/config.json", "config.json", "model.safetensors", "modules.json", "tokenizer.json", "tokenizer_config.json"}
	if got := tree(t, dir); !slices.Equal(got, want) {
		t.Errorf("files %v, want %v", got, want)
	}
	checkLinks(t, dir, model())
	ref, err := os.ReadFile(filepath.Join(cache, "models--org--name", "refs", "main"))
	if err != nil || string(ref) != commit {
		t.Errorf("refs/main is %q (%v)", ref, err)
	}
	if !slices.Contains(progress, fmt.Sprint("model.safetensors ", len(model()["model.safetensors"]))) {
		t.Errorf("progress %v", progress)
	}
	before := len(h.Seen("resolve"))
	if again := resolve(t, r, "org/name", "main"); again != dir || len(h.Seen("resolve")) != before {
		t.Errorf("the second time it gave %s and fetched %v", again, h.Seen("resolve")[before:])
	}
}

// checkLinks demands relative links to blobs named by the ETag.
func checkLinks(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for file, up := range map[string]string{"model.safetensors": "../../blobs/", "1_Pooling/config.json": "../../../blobs/"} {
		sum := sha256.Sum256([]byte(files[file]))
		want := up + hex.EncodeToString(sum[:])
		if !fakehub.Large(file) {
			want = up + fakehub.GitHash(files[file])
		}
		target, err := os.Readlink(filepath.Join(dir, file))
		if err != nil || target != want {
			t.Errorf("%s links to %q (%v), want %q", file, target, err, want)
		}
		if content, err := os.ReadFile(filepath.Join(dir, file)); err != nil || string(content) != files[file] {
			t.Errorf("%s has other content (%v)", file, err)
		}
	}
}

func TestHubRevisions(t *testing.T) {
	h := newFakeHub(t, map[string]map[string]string{"models/org/name": model()})
	r, cache := h.resolver()
	resolve(t, r, "org/name", "refs/pr/1")
	if ref, _ := os.ReadFile(filepath.Join(cache, "models--org--name", "refs", "refs", "pr", "1")); string(ref) != commit {
		t.Errorf("refs/pr/1 is %q", ref)
	}
	if seen := h.Seen("/revision/refs%2Fpr%2F1"); len(seen) != 1 {
		t.Errorf("requests %v", h.Requests())
	}
	r, cache = h.resolver()
	resolve(t, r, "org/name", commit)
	if exists(filepath.Join(cache, "models--org--name", "refs")) {
		t.Error("a commit needs no ref")
	}
}

func TestHubSelectsWeights(t *testing.T) {
	index := `{"weight_map":{"a":"model-1.safetensors","b":"model-2.safetensors"}}`
	cases := []struct {
		name  string
		files []string
		want  string
	}{
		{"shards, not the consolidated copy", []string{"config.json", weightsIndexFile, "model-1.safetensors", "model-2.safetensors", "consolidated.safetensors"},
			"config.json model-1.safetensors model-2.safetensors model.safetensors.index.json"},
		{"adapter", []string{"adapter_config.json", adapterFile, "training_args.bin"}, "adapter_config.json adapter_model.safetensors"},
		{"one GGUF", []string{"a.gguf", "README.md"}, "a.gguf"},
		{"dense module", []string{"config.json", weightsFile, "2_Dense/config.json", "2_Dense/model.safetensors", "2_Dense/pytorch_model.bin"},
			"2_Dense/config.json 2_Dense/model.safetensors config.json model.safetensors"},
		{"missing shard", []string{weightsIndexFile, "model-1.safetensors"},
			"download org/name: model.safetensors.index.json names shard model-2.safetensors, which the repository does not have"},
		{"several GGUF", []string{"b.gguf", "a.gguf"},
			"download org/name: the repository has 2 GGUF files: name one as org/name/FILE.gguf (a.gguf, b.gguf)"},
		{"pickle", []string{"config.json", "pytorch_model.bin"},
			"download org/name: the repository has no safetensors or GGUF weights, only pytorch_model.bin: convert it to safetensors first"},
		{"nothing", []string{"config.json"}, "download org/name: the repository has no safetensors or GGUF weights"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			files := map[string]string{}
			for _, f := range c.files {
				files[f] = "content of " + f
			}
			files[weightsIndexFile] = index
			if !slices.Contains(c.files, weightsIndexFile) {
				delete(files, weightsIndexFile)
			}
			h := newFakeHub(t, map[string]map[string]string{"models/org/name": files})
			r, _ := h.resolver()
			dir, err := r.Resolve(context.Background(), "org/name", "")
			got := ""
			if err != nil {
				got = err.Error()
			} else {
				got = strings.Join(tree(t, dir), " ")
			}
			if got != c.want {
				t.Errorf("%s\nwant %s", got, c.want)
			}
		})
	}
}

func TestHubOneGGUFOfSeveral(t *testing.T) {
	h := newFakeHub(t, map[string]map[string]string{"models/org/name": {"a.gguf": "A", "b.gguf": "B", "config.json": "{}"}})
	r, _ := h.resolver()
	path := resolve(t, r, "org/name/b.gguf", "")
	if content, err := os.ReadFile(path); err != nil || string(content) != "B" || filepath.Base(path) != "b.gguf" {
		t.Errorf("%s: %q, %v", path, content, err)
	}
	_, err := r.Resolve(context.Background(), "org/name/c.gguf", "")
	wantError(t, err, "", "download org/name: the repository has no file c.gguf")
}

func TestHubDataset(t *testing.T) {
	h := newFakeHub(t, map[string]map[string]string{"datasets/org/data": {"README.md": "r", "data/train 1.parquet": "PAR1", "x.bin": "b"}})
	r, cache := h.resolver()
	dir, err := r.Download(context.Background(), "org/data", DatasetRepo, "")
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(cache, "datasets--org--data", "snapshots", commit); dir != want {
		t.Errorf("folder %s, want %s", dir, want)
	}
	if got := fmt.Sprint(tree(t, dir)); got != "[README.md data/train 1.parquet x.bin]" {
		t.Errorf("files %s", got)
	}
	_, err = r.Download(context.Background(), "org/data", "space", "")
	wantError(t, err, "", `download org/data: repository type "space", expected model or dataset`)
	_, err = r.Download(context.Background(), "../data", DatasetRepo, "")
	wantError(t, err, "", `download "../data": expected a HuggingFace id such as org/name`)
}

func TestLocalFolderNeedsNoHub(t *testing.T) {
	dir := t.TempDir()
	r := &Resolver{Env: lookupIn(nil)}
	if got := resolve(t, r, dir, "v1"); got != dir {
		t.Errorf("folder %s, want %s", got, dir)
	}
	gguf := file(t, dir, "a.gguf", nil)
	if got := resolve(t, r, gguf, ""); got != gguf {
		t.Errorf("file %s, want %s", got, gguf)
	}
}

func TestConcurrentDownloads(t *testing.T) {
	content := bytes.Repeat([]byte("x"), 3<<20)
	files := map[string]string{"config.json": "{}", weightsFile: string(content)}
	h := newFakeHub(t, map[string]map[string]string{"models/org/name": files})
	r, _ := h.resolver()
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			dir, err := r.Resolve(context.Background(), "org/name", "")
			if err != nil {
				t.Error(err)
				return
			}
			if got, err := os.ReadFile(filepath.Join(dir, weightsFile)); err != nil || !bytes.Equal(got, content) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
	group.Wait()
	if seen := h.Seen("storage GET"); len(seen) != 1 {
		t.Errorf("the weights were fetched %d times", len(seen))
	}
}
