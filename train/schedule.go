package train

import (
	"math"

	"revela/config"
)

// Schedule is the learning rate of one model over the steps of a run.
type Schedule struct {
	Decay  string  // linear, cosine or constant
	Peak   float64 // after warm-up
	Warmup int     // steps, counted from First
	First  int     // step in which the model starts to learn
	Total  int     // steps of the run: the decay ends there

	Alone     int     // steps in which this model learns alone, at a rate of their own
	AlonePeak float64 // of these steps, constant after warm-up
}

// retrieverSchedule starts when the language model no longer learns alone.
func retrieverSchedule(c *config.Config, total int) Schedule {
	return Schedule{Decay: c.Train.Schedule, Peak: c.Retriever.LearningRate, Warmup: c.Train.WarmupSteps,
		First: c.Train.LMOnlySteps, Total: total}
}

func lmSchedule(c *config.Config, total int) Schedule {
	return Schedule{Decay: c.Train.Schedule, Peak: c.LM.LearningRate, Warmup: c.Train.WarmupSteps, Total: total,
		Alone: c.Train.LMOnlySteps, AlonePeak: c.LM.LMOnlyLearningRate}
}

// At returns the learning rate of a step, counted from 0: step k of W in warm-up has peak·k/W, so that the first step of all
// only fills the optimiser's moments (transformers' get_linear_schedule_with_warmup and its siblings).
func (s Schedule) At(step int) float64 {
	k, warmup := float64(step-s.First), float64(s.Warmup)
	switch {
	case k < 0:
		return 0
	case step < s.Alone:
		return s.AlonePeak * math.Min(1, ramp(k, warmup))
	case k < warmup:
		return s.Peak * ramp(k, warmup)
	case s.Decay == "constant":
		return s.Peak
	}
	left := (float64(s.Total-s.First) - k) / math.Max(1, float64(s.Total-s.First)-warmup)
	if s.Decay == "cosine" {
		left = (1 + math.Cos(math.Pi*(1-left))) / 2
	}
	return s.Peak * math.Max(0, left)
}

// ramp is the share of the peak in step k of a warm-up.
func ramp(k, warmup float64) float64 {
	if warmup == 0 {
		return 1
	}
	return k / warmup
}
