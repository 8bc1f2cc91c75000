package reproduce

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"revela/config"
	"revela/data/hub"
	"revela/evaluate/tasks"
)

// Names of steps.
const (
	StepMake     = "make"     // tiny: models, documents and a collection
	StepPrepare  = "prepare"  // tiny: documents to groups
	StepPairs    = "pairs"    // groups to pairs of crops
	StepCheck    = "check"    // groups, models and benchmarks fetched, everything validated
	StepTrain    = "train"    // a run folder
	StepExport   = "export"   // the adapter, as the authors publish theirs
	StepEvaluate = "evaluate" // as the authors did
	StepCompare  = "compare"  // with the published scores
)

// Options say how an experiment is repeated.
type Options struct {
	Dir       string   // of the experiments, as the user gave it; "": the default
	Output    string   // folder of the run folders, as the user gave it; "": the default
	Tiny      bool     // models and data made here
	Published bool     // score the published adapter, train nothing
	Tasks     []string // measured in place of the suite
	Set       []string // overrides of the user, KEY=VALUE
}

// Default folders.
const (
	DefaultDir        = "configs/reproduce"
	DefaultOutput     = "runs/reproduce"
	DefaultTinyOutput = "runs/reproduce-tiny"
)

// Step is a command of the program.
type Step struct {
	Name   string
	Args   []string // from the command's name on
	Output string   // is there when the step is done; "": it is done every time
}

// Plan is how an experiment is repeated.
type Plan struct {
	Experiment
	Options
	Config   *config.Config // of the training
	Training string         // run folder of the training
	Folder   string         // of what is measured and compared
	Steps    []Step
}

// NewPlan lists the commands of an experiment. The configuration of its training is loaded and validated.
func NewPlan(e Experiment, o Options) (*Plan, error) {
	p := &Plan{Experiment: e, Options: o}
	root := p.root()
	p.Training, p.Folder = path.Join(root, e.Run), path.Join(root, e.Name) // the user may set another output
	switch {
	case o.Published && o.Tiny:
		return nil, fmt.Errorf("%s: found a published adapter at the scale tiny, expected one of the two", e.Name)
	case o.Published && e.Adapter == "":
		return nil, fmt.Errorf("%s: its authors have not published the adapter of this training", e.Name)
	case o.Tiny && len(o.Tasks) > 0:
		return nil, fmt.Errorf("%s: found tasks at the scale tiny, which has its own collection", e.Name)
	}
	if err := p.checkTasks(); err != nil {
		return nil, err
	}
	var err error
	if p.Config, err = config.LoadWith(e.Corpus.Config, config.Sets(p.settings())); err != nil {
		return nil, fmt.Errorf("%s: %w", e.Name, err)
	}
	if o.Published {
		p.Folder += "-published"
		p.Steps = []Step{p.evaluatePublished(), p.compare()}
		return p, nil
	}
	p.Training = filepath.ToSlash(p.Config.Output)
	p.Steps = append(p.data(), p.check(), p.train())
	if p.Config.Retriever.LoRA != nil {
		if p.Config.Train.Steps == 0 {
			return nil, fmt.Errorf("%s: train.steps: found 0, expected a number of steps, which names the checkpoint to export", e.Name)
		}
		p.Steps = append(p.Steps, p.export())
	}
	p.Steps = append(p.Steps, p.evaluate(), p.compare())
	return p, nil
}

func (p *Plan) root() string {
	switch {
	case p.Output != "":
		return filepath.ToSlash(filepath.Clean(p.Output))
	case p.Tiny:
		return DefaultTinyOutput
	}
	return DefaultOutput
}

// checkTasks demands that the registry knows what is to be measured.
func (p *Plan) checkTasks() error {
	registry, err := tasks.Load()
	if err != nil {
		return err
	}
	for _, name := range append([]string{p.Suite}, p.Tasks...) {
		if _, err := registry.Find(name); err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	return nil
}

// settings are the overrides that the training's configuration gets, the user's last.
func (p *Plan) settings() []string {
	set := slices.Clone([]string(p.Experiment.Set))
	set = append(set, "output="+p.Training, "data.groups="+flowList(p.groups()))
	if p.Tiny {
		set = append(set, p.tinySettings()...)
	}
	return lastOfKeys(append(set, p.Options.Set...))
}

// lastOfKeys leaves out overrides that later ones of the same key win over.
func lastOfKeys(set []string) []string {
	var kept []string
	for i, s := range set {
		key, _, _ := strings.Cut(s, "=")
		if !slices.ContainsFunc(set[i+1:], func(later string) bool { return strings.HasPrefix(later, key+"=") }) {
			kept = append(kept, s)
		}
	}
	return kept
}

// groups are the files that training reads.
func (p *Plan) groups() []string {
	if p.Corpus.Pairs {
		return []string{p.pairsFile()}
	}
	return p.Sources()
}

// Sources are the groups before anything is made of them: files, or data sets of the hub.
func (p *Plan) Sources() []string {
	if p.Tiny {
		return []string{p.tinyGroups()}
	}
	var sources []string
	for _, d := range p.Corpus.Groups {
		sources = append(sources, hub.Scheme+"datasets/"+d.ID+"@"+d.Revision)
	}
	return sources
}

func (p *Plan) pairsFile() string {
	var names []string
	for _, d := range p.Corpus.Groups {
		names = append(names, path.Base(d.ID))
	}
	return path.Join(p.root(), "groups", strings.Join(names, "+")+"-pairs.jsonl.zst")
}

// flowList writes texts as a YAML list on one line.
func flowList(list []string) string {
	quoted := make([]string, len(list))
	for i, text := range list {
		quoted[i] = text
		if strings.ContainsAny(text, "{}[],:#\"'*&!|>%@` ") {
			quoted[i] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
		}
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
