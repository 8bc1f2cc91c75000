package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"revela/config"
	"revela/internal/testdata"
	"revela/model/checkpoint"
)

// The number of parameters by config.json is the number of values in the checkpoint.
func TestFixtureParameters(t *testing.T) {
	backbones := filepath.Join(testdata.Fixtures(t), "backbones")
	folders, err := os.ReadDir(backbones)
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range folders {
		if !folder.IsDir() {
			continue
		}
		t.Run(folder.Name(), func(t *testing.T) {
			dir := filepath.Join(backbones, folder.Name())
			c, err := checkpoint.ReadConfig(dir)
			if err != nil {
				t.Fatal(err)
			}
			n, err := newNetwork(c, true)
			if err != nil && strings.Contains(err.Error(), "model_type: found") {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, want := n.parameters(), storedValues(t, dir); got != want {
				t.Errorf("%d parameters, the checkpoint has %d", got, want)
			}
		})
	}
}

// storedValues counts the values of the tensors that the network itself has.
func storedValues(t *testing.T, dir string) int64 {
	t.Helper()
	weights, err := checkpoint.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer weights.Close()
	var total int64
	for _, name := range weights.Names() {
		if strings.Contains(name, "pooler.") || strings.HasPrefix(name, "cls.") {
			continue
		}
		tensor, _, err := weights.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		values := int64(1)
		for _, size := range tensor.Shape {
			values *= size
		}
		total += values
	}
	return total
}

func TestLearningParameters(t *testing.T) {
	shape := &checkpoint.Config{ModelType: "llama", HiddenSize: 8, IntermediateSize: 16, NumHiddenLayers: 2,
		NumAttentionHeads: 2, NumKeyValueHeads: 1, HeadDim: 4, VocabSize: 10, TieWordEmbeddings: true}
	n, err := newNetwork(shape, true)
	if err != nil {
		t.Fatal(err)
	}
	layer := int64(8*8 + 2*8*4 + 8*8 + 3*8*16 + 2*8)
	all := 80 + 2*layer + 8
	for _, test := range []struct {
		freeze config.Freeze
		lora   *config.LoRA
		want   int64
	}{
		{config.FreezeNothing, nil, all},
		{config.FreezeAll, nil, 0},
		{config.FreezeEmbeddings, nil, all - 80},
		{config.FreezeNothing, &config.LoRA{Rank: 3, Targets: config.Targets{"q_proj", "down_proj"}}, 2 * 3 * (16 + 24)},
		{config.FreezeNothing, &config.LoRA{Rank: 1, Targets: config.Targets{"all-linear"}}, 2 * (16 + 12 + 12 + 16 + 3*24)},
	} {
		if got := n.learning(test.freeze, test.lora); got != test.want {
			t.Errorf("freeze %s, lora %v: %d weights learn, want %d", test.freeze, test.lora, got, test.want)
		}
	}
}

// The estimate counts what the benchmark counts on models that are at hand, where all texts are read and all vectors learn, but
// for the pairs: it takes one text a query, the benchmark's weights are on all.
func TestFixtureStepFlops(t *testing.T) {
	dir := t.TempDir()
	fixture := filepath.Join(testdata.Fixtures(t), "tiny-llama")
	texts := make([]string, 4)
	for i := range texts {
		texts[i] = strings.Repeat(fmt.Sprintf("text %d is long enough to be cut ", i), 10)
	}
	line, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	groups := filepath.Join(dir, "groups.jsonl")
	write(t, groups, string(line)+"\n")
	stdout, stderr, status := run(t, "bench", "step", "--retriever", filepath.Join(fixture, "retriever"), "--lm", filepath.Join(fixture, "lm"), "--groups", groups,
		"--group-size", "4", "--max-len", "33", "--steps", "1", "--dtype", "bf16", "--lora-r", "4", "--tau", "1", "--breakdown")
	if status != 0 {
		t.Fatalf("status %d: %s", status, stderr)
	}
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	var result struct {
		Breakdown struct {
			FLOPs float64 `json:"flops"`
		} `json:"breakdown"`
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &result); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "c.yaml"), fmt.Sprintf(`precision: bf16
retriever: {checkpoint: %[1]s/retriever, max_length: 33, lora: {rank: 4, alpha: 8}}
lm: {checkpoint: %[1]s/lm, lora: {rank: 4, alpha: 8}}
data: {group_size: 4, max_length: 32}
train: {groups_per_step: 1}
`, fixture))
	lm, err := checkpoint.ReadConfig(filepath.Join(fixture, "lm"))
	if err != nil {
		t.Fatal(err)
	}
	positions := 4 * (3 - 1) * 32 * 32 // that every query reads beyond one text
	more := float64(6 * 2 * positions * lm.NumAttentionHeads * lm.HeadDim * lm.NumHiddenLayers)
	if got := estimatedStep(t, filepath.Join(dir, "c.yaml")); got+more != result.Breakdown.FLOPs {
		t.Errorf("estimated %g operations and %g more, counted %g", got, more, result.Breakdown.FLOPs)
	}
}

// estimatedStep is the estimate of a configuration's step whose models are folders.
func estimatedStep(t *testing.T, file string) float64 {
	t.Helper()
	c, err := config.Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	var networks [2]network
	for i, dir := range []string{c.Retriever.Checkpoint, c.LM.Checkpoint} {
		shape, err := checkpoint.ReadConfig(dir)
		if err != nil {
			t.Fatal(err)
		}
		if networks[i], err = newNetwork(shape, true); err != nil {
			t.Fatal(err)
		}
	}
	return stepFlops(c, networks[0], networks[1])
}
