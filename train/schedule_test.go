package train

import (
	"math"
	"testing"
)

// Values of transformers' get_{linear,cosine,constant}_schedule_with_warmup: 4 steps of warm-up, 12 in all.
func TestSchedule(t *testing.T) {
	for decay, want := range map[string][]float64{
		"linear":   {0, 0.5, 1, 1.5, 2, 1.75, 1.5, 1.25, 1, 0.75, 0.5, 0.25},
		"cosine":   {0, 0.5, 1, 1.5, 2, 1.9238795325112867, 1.7071067811865475, 1.3826834323650898, 1, 0.6173165676349102, 0.2928932188134524, 0.07612046748871326},
		"constant": {0, 0.5, 1, 1.5, 2, 2, 2, 2, 2, 2, 2, 2},
	} {
		s := Schedule{Decay: decay, Peak: 2, Warmup: 4, Total: 12}
		for step, rate := range want {
			if got := s.At(step); math.Abs(got-rate) > 1e-15 {
				t.Errorf("%s: step %d: %v, want %v", decay, step, got, rate)
			}
		}
	}
}

func TestScheduleEdges(t *testing.T) {
	for name, c := range map[string]struct {
		s    Schedule
		want []float64
	}{
		"no warm-up":               {Schedule{Decay: "linear", Peak: 4, Total: 4}, []float64{4, 3, 2, 1}},
		"one step":                 {Schedule{Decay: "cosine", Peak: 4, Total: 1}, []float64{4}},
		"warm-up of the whole run": {Schedule{Decay: "linear", Peak: 4, Warmup: 8, Total: 3}, []float64{0, 0.5, 1}},
	} {
		for step, rate := range c.want {
			if got := c.s.At(step); got != rate {
				t.Errorf("%s: step %d: %v, want %v", name, step, got, rate)
			}
		}
	}
}

// Each model's schedule starts when it starts to learn; while the language model learns alone, its rate stays where
// warm-up leaves it.
func TestSchedulesOfBothModels(t *testing.T) {
	c := parse(t, `
retriever: {checkpoint: a, learning_rate: 4}
lm: {checkpoint: b, learning_rate: 8, lm_only_learning_rate: 16}
train: {steps: 12, warmup_steps: 2, lm_only_steps: 4}
`)
	want := []Rates{{0, 0}, {0, 8}, {0, 16}, {0, 16},
		{0, 8 * 8.0 / 10}, {2, 8 * 7.0 / 10}, {4, 8 * 6.0 / 10}, {4 * 5.0 / 6, 8 * 5.0 / 10}, {4 * 4.0 / 6, 8 * 4.0 / 10},
		{2, 8 * 3.0 / 10}, {4 * 2.0 / 6, 8 * 2.0 / 10}, {4 * 1.0 / 6, 8 * 1.0 / 10}}
	r, l := retrieverSchedule(c, 12), lmSchedule(c, 12)
	for step, rates := range want {
		if got := r.At(step); math.Abs(got-rates.Retriever) > 1e-15 {
			t.Errorf("retriever, step %d: %v, want %v", step, got, rates.Retriever)
		}
		if got := l.At(step); math.Abs(got-rates.LM) > 1e-15 {
			t.Errorf("language model, step %d: %v, want %v", step, got, rates.LM)
		}
	}
}

func TestPlan(t *testing.T) {
	for _, c := range []struct {
		train  string
		groups int
		want   plan
	}{
		{"{epochs: 3, groups_per_step: 4}", 6, plan{groups: 18, perStep: 4, steps: 5}},
		{"{epochs: 1, groups_per_step: 8}", 3, plan{groups: 3, perStep: 8, steps: 1}},
		{"{steps: 7, epochs: 2, groups_per_step: 4, lm_only_steps: 2}", 5, plan{groups: 28, perStep: 4, steps: 7, alone: 2}},
	} {
		p, err := newPlan(parse(t, "{retriever: {checkpoint: a}, lm: {checkpoint: b}, train: "+c.train+"}"), c.groups)
		if err != nil || p != c.want {
			t.Errorf("%s: got %+v, %v; want %+v", c.train, p, err, c.want)
		}
		total := 0
		for step := range p.steps {
			total += p.groupsIn(step)
		}
		if int64(total) != p.groups || p.groupsIn(p.steps-1) < 1 {
			t.Errorf("%s: the steps read %d groups, want %d", c.train, total, p.groups)
		}
	}
	_, err := newPlan(parse(t, "retriever: {checkpoint: a}\nlm: {checkpoint: b}\ntrain: {lm_only_steps: 3}"), 16)
	if want := "test.yaml:3: train.lm_only_steps: found 3, expected fewer than the run's 2 steps: the retriever would never learn"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
