package model

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"revela/internal/fixture"
	"revela/torch"
)

// runPython runs a script with the Python of $REVELA_PYTHON and returns what it prints.
func runPython(t *testing.T, script string, args ...string) string {
	t.Helper()
	program := os.Getenv("REVELA_PYTHON")
	if program == "" {
		t.Skip("set REVELA_PYTHON to a Python with peft and sentence-transformers to run this test")
	}
	cmd := exec.Command(program, append([]string{"-c", script}, args...)...)
	cmd.Env = append(os.Environ(), "HF_HUB_OFFLINE=1", "TRANSFORMERS_VERBOSITY=warning")
	var errors bytes.Buffer
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, errors.Bytes())
	}
	return string(out)
}

// Logits and hidden states of Python's PEFT with adapters that we wrote are ours.
func TestPythonAdapter(t *testing.T) {
	const script = `
import json, sys, torch, transformers, peft, warnings
warnings.simplefilter("error", UserWarning)
base, adapter, kind = sys.argv[1:]
model = getattr(transformers, kind).from_pretrained(base, dtype=torch.float32)
model = peft.PeftModel.from_pretrained(model, adapter).eval()
rows = []
for ids in [[1, 5, 9, 14, 40, 41, 42, 7], [2, 3, 90], [60, 61, 62, 63, 1]]:
    out = model(input_ids=torch.tensor([ids]))
    rows += (out.logits if "logits" in out else out.last_hidden_state)[0].flatten().tolist()
print(json.dumps(rows))
`
	bert := loadNetwork(t, torch.Float32, "backbones", "bert")
	o := LoRAOptions{Rank: 4, Alpha: 8}
	if err := AddLoRA(bert, o, 3); err != nil {
		t.Fatal(err)
	}
	checkPython := func(name string, n Network, o LoRAOptions, base, class string) {
		dir := filepath.Join(t.TempDir(), "adapter")
		if err := SaveAdapter(n, dir, base, o); err != nil {
			t.Fatal(err)
		}
		var want []float64
		if err := json.Unmarshal([]byte(runPython(t, script, base, dir, class)), &want); err != nil {
			t.Fatal(err)
		}
		fixture.Close(t, name, results(t, n), want, 1e-5*fixture.Largest(want))
	}
	checkPython("bert", bert, o, fixture.Path(t, "backbones", "bert"), "AutoModel")
	retriever, lm := loadNetwork(t, torch.Float32, "tiny-llama", "retriever"), loadLM(t, "tiny-llama", "lm")
	o = loadAdapter(t, retriever, "lora-steps-llama", "step-20", "retriever")
	checkPython("retriever", retriever, o, fixture.Path(t, "tiny-llama", "retriever"), "AutoModel")
	o = loadAdapter(t, lm, "lora-steps-llama", "step-20", "lm")
	checkPython("lm", lm, o, fixture.Path(t, "tiny-llama", "lm"), "AutoModelForCausalLM")
}
