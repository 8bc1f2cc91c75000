package config

import (
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestBadFiles(t *testing.T) {
	for _, test := range expectedErrors {
		file := filepath.Join("testdata", test.name+".bad.yml")
		want := file + ":" + strings.Join(test.want, "\n"+file+":")
		_, err := Load(file, nil)
		if err == nil || err.Error() != want {
			t.Errorf("%s: got\n%v\nwant\n%s", file, err, want)
		}
	}
}

// Every bad file is in the table, so that none is forgotten there.
func TestEveryBadFileIsExpected(t *testing.T) {
	files, err := filepath.Glob("testdata/*.bad.yml")
	if err != nil || len(files) != len(expectedErrors) {
		t.Errorf("%d bad files, %d expectations (%v)", len(files), len(expectedErrors), err)
	}
}

// Every key whose value has a rule of its own (a word, a range, a union) is broken by some bad file.
func TestEveryRuleHasABadFile(t *testing.T) {
	var messages strings.Builder
	for _, test := range expectedErrors {
		messages.WriteString(strings.Join(test.want, "\n") + "\n")
	}
	for _, key := range ruled(reflect.TypeFor[Config](), "") {
		if !strings.Contains(messages.String(), ": "+key+": found ") {
			t.Errorf("no bad file breaks the rule of %s", key)
		}
	}
}

// ruled returns the keys with a rule.
func ruled(section reflect.Type, prefix string) []string {
	var keys []string
	for i := range section.NumField() {
		field := section.Field(i)
		key := prefix + field.Tag.Get("yaml")
		_, isUnion := reflect.New(field.Type).Interface().(union)
		switch {
		case field.Type.Kind() == reflect.Struct && !isUnion && field.IsExported():
			keys = append(keys, ruled(field.Type, key+".")...)
		case isUnion && !strings.HasPrefix(key, "lm."), field.Tag.Get("is") != "": // lm's are the retriever's types
			keys = append(keys, key)
		}
	}
	return keys
}

// A value of the wrong kind is an error at every key there is.
func TestEveryKeyRefusesAMapping(t *testing.T) {
	for _, key := range leaves(reflect.TypeFor[Config](), "") {
		_, err := Parse("", nil, []string{key + "={no_such_key: 1}"})
		field, _ := Default().Get(key)
		if _, isText := field.(string); isText {
			continue // an override of a text is a text, whatever it looks like
		}
		if err == nil || !strings.HasPrefix(err.Error(), "--set "+key+"={no_such_key: 1}: ") {
			t.Errorf("%s: got %v", key, err)
		}
	}
}

func TestBadOverrides(t *testing.T) {
	for _, test := range []struct{ set, want string }{
		{"seed", "found no key, expected key=value"},
		{"=1", "found no key, expected key=value"},
		{"zzz=1", "found an unknown key, expected KEY with KEY one of " +
			"seed, output, device, precision, threads, prepare, retriever, lm, objective, data, train, evaluate"},
		{"sed=1", "found an unknown key, expected one of the contract (did you mean seed?)"},
		{"train.step=1", "found an unknown key, expected one of the contract (did you mean train.steps?)"},
		{"seed.x=1", "found an unknown key, expected seed without keys below it"},
		{"retriever.lora.zzz=1", "found an unknown key, expected retriever.lora.KEY with KEY one of rank, alpha, dropout, targets"},
		{"seed=x", `found "x", expected a whole number of at least 0`},
		{"seed=", `found null, expected a whole number of at least 0`},
		{"seed=[1", `found text that is not YAML (line 1: did not find expected ',' or ']'), expected a value`},
		{"objective.name=revel", `found "revel", expected revela or infonce (did you mean revela?)`},
		{"output=", `found "", expected a text that is not empty`},
		{"data.groups=a.jsonl", `found "a.jsonl", expected a list of texts`},
		{"retriever={poling: eos}", "retriever.poling: found an unknown key, expected one of the contract (did you mean retriever.pooling?)"},
		{"objective={dual_loss: true, detach_passages: true}", "objective.dual_loss: found true with " +
			"objective.detach_passages: true, expected one of the two: the loss of pass 1 needs its gradient"},
	} {
		_, err := Parse("", nil, []string{test.set})
		if want := "--set " + test.set + ": " + test.want; err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		var problems Problems
		if !errors.As(err, &problems) || problems.InFile() {
			t.Errorf("%v: not known as a mistake of the override", err)
		}
	}
}

// Mistakes of the file come first, by line, then those of the overrides.
func TestFileAndOverridesAtOnce(t *testing.T) {
	_, err := Parse("a.yaml", []byte(base+"threads: x\nseed: -1\n"), []string{"device=tpu", "precision=fp8"})
	want := `a.yaml:3: threads: found "x", expected a whole number of at least 0
a.yaml:4: seed: found -1, expected a whole number of at least 0
--set device=tpu: found "tpu", expected auto, cpu, cuda or cuda:N
--set precision=fp8: found "fp8", expected auto, fp32 or bf16`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	var problems Problems
	if !errors.As(err, &problems) || !problems.InFile() {
		t.Error("not known as mistakes of the file")
	}
}

// Whatever the bytes are, Parse returns a configuration or an error.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{base, "a: &x [*x]", "retriever: &r {lora: *r}", "<<: *no", "\xff", "? [a]: b", "seed: !!int x", "!!set {}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		c, err := Parse("fuzz.yaml", content, nil)
		if (c == nil) == (err == nil) {
			t.Errorf("got %v, %v", c, err)
		}
	})
}
