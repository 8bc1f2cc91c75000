package checkpoint

import (
	"path/filepath"
	"testing"

	"revela/internal/testdata"
)

func TestFixtureSharded(t *testing.T) {
	dir := filepath.Join(testdata.Fixtures(t), "backbones", "qwen2-sharded-bf16")
	w, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	shardOf, err := readIndex(filepath.Join(dir, weightsIndexFile))
	if err != nil {
		t.Fatal(err)
	}
	if len(w.Names()) != len(shardOf) {
		t.Errorf("%d tensors, the index has %d", len(w.Names()), len(shardOf))
	}
	for name, shard := range shardOf {
		tensor, ok, err := w.Tensor(name)
		if err != nil || !ok || filepath.Base(tensor.File) != shard || tensor.DType != BF16 || tensor.Elements()*2 != int64(len(tensor.Data)) {
			t.Errorf("%s in %s: %v %v, %v %v", name, shard, ok, err, tensor.DType, tensor.Shape)
		}
	}
}

func TestBadShards(t *testing.T) {
	one := raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1)
	cases := []struct{ name, index, want string }{
		{"missing shard", `{"weight_map":{"a":"1.safetensors","b":"3.safetensors"}}`, "shard 3.safetensors is missing"},
		{"tensor not in its shard", `{"weight_map":{"a":"1.safetensors","b":"1.safetensors"}}`, "tensor b is not in shard 1.safetensors"},
		{"in two shards", `{"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}`, "tensor a is in two shards, 1.safetensors and 2.safetensors"},
		{"outside", `{"weight_map":{"a":"../1.safetensors"}}`, `tensor a is in shard "../1.safetensors", expected a file name`},
		{"empty", `{}`, "weight_map is missing or empty"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			file(t, dir, "1.safetensors", one)
			file(t, dir, "2.safetensors", one)
			file(t, dir, weightsIndexFile, []byte(c.index))
			_, err := Open(dir)
			wantError(t, err, dir, "open weights: read index DIR/model.safetensors.index.json: "+c.want)
		})
	}
	dir := t.TempDir()
	file(t, dir, weightsIndexFile, []byte("{\n\"weight_map\": [\n"))
	_, err := Open(dir)
	wantError(t, err, dir, "open weights: read index DIR/model.safetensors.index.json:3: unexpected end of JSON input")
}

func TestOpenChoosesTheWeights(t *testing.T) {
	one := raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1)
	dir := t.TempDir()
	_, err := Open(filepath.Join(dir, "absent"))
	wantError(t, err, dir, "open weights: stat DIR/absent: no such file or directory")
	_, err = Open(dir)
	wantError(t, err, dir, "open weights: DIR holds no weights: expected model.safetensors, model.safetensors.index.json or a *.gguf file")
	file(t, dir, "pytorch_model.bin", nil)
	_, err = Open(dir)
	wantError(t, err, dir, "open weights: DIR holds pytorch_model.bin but no safetensors or GGUF weights: convert it to safetensors first")
	file(t, dir, adapterFile, one)
	if _, err = Open(dir); err != nil {
		t.Error(err)
	}
	file(t, dir, "b.safetensors", one)
	_, err = Open(dir)
	wantError(t, err, dir, "open weights: DIR holds 2 safetensors files (adapter_model.safetensors, b.safetensors) but neither model.safetensors nor model.safetensors.index.json")
	file(t, dir, weightsFile, one)
	if _, err = Open(dir); err != nil {
		t.Error(err)
	}
}
