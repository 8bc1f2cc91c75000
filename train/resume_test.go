package train

import (
	"context"
	"strings"
	"testing"
)

// Whether activations are computed again decides how sums are rounded: `auto` keeps to what the run began with, here `true`,
// though there is memory enough; what is said outright holds.
func TestFixtureResumeKeepsActivationCheckpointing(t *testing.T) {
	output := t.TempDir()
	c := tiny{retriever: withLoRA, lm: withLoRA, train: ", steps: 2, save_every: 1, activation_checkpointing: true"}
	run(t, c.config(t, output))
	for setting, want := range map[string]string{"auto": "computed again", "false": "kept"} {
		c.train = ", steps: 2, save_every: 0, activation_checkpointing: " + setting + ", resume: " + runFolder(output).checkpoint(1)
		var log []string
		if _, err := Run(context.Background(), c.config(t, output), RunOptions{Log: func(line string) { log = append(log, line) }}); err != nil {
			t.Fatal(err)
		}
		if said := strings.Join(log, "\n"); !strings.Contains(said, "activations are "+want) {
			t.Errorf("activation_checkpointing %s: the run says\n%s\nwant activations that are %s", setting, said, want)
		}
	}
}
