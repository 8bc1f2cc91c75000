package reproduce

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"revela/evaluate/tasks"
)

// data are the steps that make the groups, where the published ones do not serve as they are.
func (p *Plan) data() []Step {
	var steps []Step
	if p.Tiny {
		steps = append(steps, p.own(StepMake, p.made()), Step{StepPrepare, []string{"prepare", "--config", p.Corpus.Config,
			"--set", "prepare.input=" + flowList([]string{p.made("documents.jsonl")}), "--set", "prepare.output=" + p.tinyGroups()}, p.tinyGroups()})
	}
	if p.Corpus.Pairs {
		steps = append(steps, p.own(StepPairs, p.pairsFile()))
	}
	return steps
}

// configured is a command with the training's configuration.
func (p *Plan) configured(command string, more ...string) []string {
	args := []string{command, "--config", p.Corpus.Config}
	for _, s := range lastOfKeys(append(p.settings(), more...)) {
		args = append(args, "--set", s)
	}
	return args
}

// check reads everything before days of training: groups, models, and the benchmarks that are measured at the end.
func (p *Plan) check() Step {
	return Step{StepCheck, p.configured("check", protocolKey+"="+p.Protocol(), "evaluate.collections="+flowList(p.measured())), p.Folder}
}

func (p *Plan) train() Step {
	return Step{StepTrain, p.configured("train"), path.Join(p.Training, "model", "config.json")}
}

func (p *Plan) export() Step {
	output := path.Join(p.Training, "adapter")
	checkpoint := path.Join(p.Training, "checkpoints", fmt.Sprintf("step-%06d", p.Config.Train.Steps))
	return Step{StepExport, []string{"export", "--checkpoint", checkpoint, "--output", output, "--format", "peft"}, output}
}

func (p *Plan) evaluate() Step {
	return p.scored("--model", path.Join(p.Training, "model"))
}

// evaluatePublished scores the authors' adapter. Pooling is named since an adapter says nothing of it.
func (p *Plan) evaluatePublished() Step {
	return p.scored("--model", p.Config.Retriever.Checkpoint, "--adapter", p.Adapter, "--pooling", p.Config.Retriever.Pooling)
}

func (p *Plan) scored(model ...string) Step {
	args := append([]string{"evaluate"}, model...)
	flag := "--suite"
	if p.Tiny {
		flag = "--collection"
	}
	for _, name := range p.measured() {
		args = append(args, flag, name)
	}
	args = append(args, "--protocol", p.Protocol(), "--output", p.Folder)
	for _, s := range p.Options.Set {
		key, _, _ := strings.Cut(s, "=")
		if key == "device" || key == "threads" || strings.HasPrefix(key, "evaluate.") && key != protocolKey {
			args = append(args, "--set", s)
		}
	}
	return Step{StepEvaluate, args, path.Join(p.Folder, "summary.json")}
}

// measured names the collections.
func (p *Plan) measured() []string {
	switch {
	case p.Tiny:
		return []string{p.made(tinyName)}
	case len(p.Tasks) > 0:
		return p.Tasks
	}
	return []string{p.Suite}
}

const protocolKey = "evaluate.protocol"

// Protocol is how it is measured: as the authors did, unless the user says otherwise.
func (p *Plan) Protocol() string {
	for _, s := range slices.Backward(p.Options.Set) {
		if protocol, ok := strings.CutPrefix(s, protocolKey+"="); ok {
			return protocol
		}
	}
	return tasks.ProtocolPaper
}

func (p *Plan) compare() Step { return p.own(StepCompare, "") }

// own is a step that the command reproduce does itself.
func (p *Plan) own(step, output string) Step {
	args := []string{"reproduce", "--only", step}
	for _, flag := range []struct {
		given       bool
		name, value string
	}{
		{p.Dir != "" && p.Dir != DefaultDir, "--experiments", p.Dir}, {p.Output != "", "--output", p.Output},
		{p.Tiny, "--scale", "tiny"}, {len(p.Tasks) > 0, "--tasks", strings.Join(p.Tasks, ",")},
	} {
		if flag.given {
			args = append(args, flag.name, flag.value)
		}
	}
	if p.Published {
		args = append(args, "--published")
	}
	for _, s := range p.Options.Set {
		args = append(args, "--set", s)
	}
	return Step{step, append(args, p.Name), output}
}
