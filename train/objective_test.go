package train

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"revela/internal/fixture"
)

// pairs are groups with queries of their own.
func pairs(t *testing.T) string {
	t.Helper()
	var lines []map[string][]string
	for _, group := range texts(t) {
		half := len(group) / 2
		lines = append(lines, map[string][]string{"query": group[:half], "text": group[half:]})
	}
	return ", groups: [" + writeGroups(t, lines) + "]"
}

// InfoNCE needs no language model, and learns.
func TestFixtureInfoNCERun(t *testing.T) {
	output := t.TempDir()
	c := tiny{objective: ", name: infonce", data: pairs(t), train: ", steps: 20, save_every: 0", lm: ", adapter: /not/read"}
	run(t, c.config(t, output))
	metrics := readMetrics(t, output)
	if first, last := metrics[0], metrics[19]; !(last.Loss < first.Loss/2) || first.LearningRate.LM != 0 || first.Tokens == 0 {
		t.Errorf("from %+v to %+v", first, last)
	}
	if _, err := os.Stat(filepath.Join(runFolder(output).checkpoint(20), "lm")); err == nil {
		t.Error("a language model was written")
	}
}

// Objectives say what they cannot read, with step and line.
func TestFixtureObjectiveErrors(t *testing.T) {
	groups := pairs(t)
	path := strings.Trim(strings.TrimPrefix(groups, ", groups: ["), "]")
	requireError(t, tiny{objective: ", dual_loss: true", data: groups + ", shuffle: false"},
		"step 1: "+path+":1: dual_loss: the group has queries of its own; groups of texts alone expected")
	requireError(t, tiny{objective: ", name: infonce", data: ", shuffle: false"},
		"step 1: "+groupsOf(t)+":1: infonce: the group has no queries of its own; {\"query\": […], \"text\": […]} expected")
}

// While the language model learns alone, the retriever's weights stay; then both learn.
func TestFixtureLanguageModelAlone(t *testing.T) {
	output := t.TempDir()
	run(t, tiny{train: ", steps: 5, lm_only_steps: 3, save_every: 1, keep_checkpoints: 9", data: pairs(t)}.config(t, output))
	weights := func(step int, part string) string {
		return filepath.Join(runFolder(output).checkpoint(step), part, "model.safetensors")
	}
	requireSameTensors(t, weights(3, "retriever"), weights(1, "retriever"), 0)
	requireSameTensors(t, weights(4, "retriever"), weights(1, "retriever"), 0) // its first step has the rate 0
	if !moved(t, weights(5, "retriever"), weights(4, "retriever")) || !moved(t, weights(3, "lm"), weights(2, "lm")) {
		t.Error("a model that learns did not move")
	}
}

// moved reports whether two files of weights differ.
func moved(t *testing.T, after, before string) bool {
	t.Helper()
	old, most := readTensors(t, before), 0.0
	for name, values := range readTensors(t, after) {
		most = math.Max(most, fixture.Difference(t, values, old[name]))
	}
	return most > 0
}

// freeze: embeddings keeps the embedding tables and a tied head; everything else learns.
func TestFixtureFrozenEmbeddings(t *testing.T) {
	output := t.TempDir()
	run(t, tiny{retriever: ", freeze: embeddings", lm: ", freeze: embeddings", train: ", steps: 3"}.config(t, output))
	for _, part := range []string{"retriever", "lm"} {
		start := readTensors(t, fixture.Path(t, "tiny-llama", part, "model.safetensors"))
		for name, values := range readTensors(t, filepath.Join(runFolder(output).checkpoint(3), part, "model.safetensors")) {
			from := start[name]
			if from == nil {
				from = start["model."+name]
			}
			same := fixture.Difference(t, values, from) == 0
			if same != strings.HasSuffix(name, "embed_tokens.weight") {
				t.Errorf("%s: %s: unchanged %v", part, name, same)
			}
		}
	}
}

// An adapter without lora is merged at load: training in full starts from the merged weights.
func TestFixtureAdapterMergedAtLoad(t *testing.T) {
	var s stepsCase
	fixture.ReadJSON(t, &s, "lora-steps-llama", "settings.json")
	adapter := ", adapter: " + fixture.Path(t, "lora-steps-llama", fmt.Sprintf("step-%d", s.Steps), "retriever")
	loss := func(retriever string) float64 {
		output := t.TempDir()
		run(t, tiny{retriever: retriever, train: ", steps: 1"}.config(t, output))
		return readMetrics(t, output)[0].Loss
	}
	plain, merged := loss(""), loss(adapter)
	beside := loss(adapter + fmt.Sprintf(", lora: {rank: %d, alpha: %g, dropout: 0}", s.Rank, s.Alpha))
	if math.Abs(merged-beside) > 1e-5 || math.Abs(merged-plain) < 1e-4 {
		t.Errorf("loss %v with the adapter merged, %v with it beside, %v without", merged, beside, plain)
	}
}

// During training the retriever is scored as it would be written, and nothing of it stays but the scores.
func TestFixtureEvaluateEvery(t *testing.T) {
	output, collection := t.TempDir(), filepath.Join(t.TempDir(), "small")
	for name, content := range map[string]string{
		"corpus.jsonl":   `{"_id": "1", "text": "rain"}` + "\n" + `{"_id": "2", "text": "yeast"}` + "\n",
		"queries.jsonl":  `{"_id": "a", "text": "rain again"}` + "\n",
		"qrels/test.tsv": "query-id\tcorpus-id\tscore\na\t1\t1\n",
	} {
		path := filepath.Join(collection, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c := tiny{retriever: withLoRA + ", average_with_start: 0.5", lm: withLoRA, train: ", steps: 5, evaluate_every: 2, save_every: 2",
		more: "evaluate: {collections: [" + collection + "], metrics: [mrr@10]}"}
	run(t, c.config(t, output))
	f, err := os.Open(filepath.Join(output, evaluationsFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var steps []int
	for scanner := bufio.NewScanner(f); scanner.Scan(); {
		var e Evaluation
		if err := json.Unmarshal(scanner.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		if value := e.Metrics["mrr@10"]; e.Collection != "small" || (value != 1 && value != 0.5) {
			t.Errorf("got %s", scanner.Text())
		}
		steps = append(steps, e.Step)
	}
	if len(steps) != 2 || steps[0] != 2 || steps[1] != 4 {
		t.Errorf("evaluated after the steps %v", steps)
	}
	entries, err := os.ReadDir(output)
	if err != nil || len(entries) != 5 { // config, metrics, evaluations, checkpoints, model
		t.Errorf("%d entries, %v: %v", len(entries), err, entries)
	}
	plain := t.TempDir() // evaluating changes nothing
	c.train = ", steps: 5, save_every: 2"
	run(t, c.config(t, plain))
	requireSameTensors(t, filepath.Join(plain, "model", "model.safetensors"), filepath.Join(output, "model", "model.safetensors"), 0)
}

// A run that is cancelled before its first step leaves no checkpoint.
func TestFixtureCancelledAtOnce(t *testing.T) {
	output := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	c := tiny{retriever: withLoRA, lm: withLoRA, train: ", steps: 2"}.config(t, output)
	_, err := Run(ctx, c, RunOptions{Log: func(string) { cancel() }})
	if err == nil || err.Error() != "interrupted after step 0 of 2: context canceled" {
		t.Errorf("got %v", err)
	}
	if steps, err := runFolder(output).checkpoints(); err != nil || len(steps) != 0 {
		t.Errorf("checkpoints after the steps %v, %v", steps, err)
	}
}
