package config

import "path/filepath"

// Default returns the contract's defaults, resolved: every null holds the value that it stands for.
func Default() *Config {
	c := defaults()
	c.resolve()
	return c
}

// defaults is the contract's own block of defaults; a zero stands for null where a field's tag allows null.
func defaults() *Config {
	return &Config{
		Seed:      42,
		Output:    "runs/example",
		Device:    "auto",
		Precision: "auto",
		Prepare: Prepare{
			Input:         []string{},
			Unit:          "sentences",
			Queries:       "none",
			GroupBy:       "document",
			GroupSize:     16,
			HoldoutBy:     "document",
			Dedup:         "exact",
			Decontaminate: []string{},
			Seeds:         1,
			MaxUses:       1,
		},
		Retriever: Retriever{
			Checkpoint:    "Qwen/Qwen2.5-0.5B",
			Revision:      "main",
			Pooling:       "auto",
			Normalize:     true,
			AppendEOS:     Auto,
			QueryPrefix:   "query: ",
			PassagePrefix: "passage: ",
			MaxLength:     157,
			Freeze:        FreezeNothing,
		},
		LM: LM{
			Checkpoint: "Qwen/Qwen2.5-0.5B",
			Revision:   "main",
			Freeze:     FreezeNothing,
		},
		Objective: Objective{
			Name:                "revela",
			SimilarityPrecision: "fp32",
			ExcludeSelf:         true,
			ValueNorm:           true,
			Query:               "full",
			Scale:               1,
		},
		Data: Data{
			Groups:             []string{},
			GroupSize:          16,
			MaxLength:          TextLengths{Query: 156, Text: 156},
			Shuffle:            true,
			ShuffleWithinGroup: true,
		},
		Train: Train{
			Epochs:                  1,
			GroupsPerStep:           8,
			Optimizer:               Optimizer{Name: "adamw", Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8},
			LearningRate:            1e-4,
			Schedule:                "linear",
			WarmupSteps:             100,
			MaxGradNorm:             1,
			Clip:                    "joint",
			ActivationCheckpointing: Auto,
			LogEvery:                1,
			SaveEvery:               500,
			KeepCheckpoints:         2,
			Resume:                  "auto",
		},
		Evaluate: Evaluate{
			Collections: []string{},
			Split:       "test",
			Metrics:     []string{"ndcg@10", "recall@100", "mrr@10", "map"},
			TopK:        1000,
			BatchTokens: 16384,
			Precision:   "fp32",
			Protocol:    "clean",
		},
	}
}

// defaultLoRA returns the adapter of the paper's settings (semantics of arXiv 2506.16552), which missing inner keys take.
func defaultLoRA() *LoRA {
	return &LoRA{Rank: 256, Alpha: 64, Dropout: 0.1, Targets: Targets{allLinear}}
}

// resolve puts the values that nulls stand for in their place.
func (c *Config) resolve() {
	if c.Prepare.Output == "" {
		c.Prepare.Output = filepath.Join(c.Output, "groups.jsonl.zst")
	}
	fill(&c.Retriever.TrainMaxLength.Query, c.Retriever.MaxLength)
	fill(&c.Retriever.TrainMaxLength.Passage, c.Retriever.MaxLength)
	fill(&c.Retriever.LearningRate, c.Train.LearningRate)
	fill(&c.LM.LearningRate, c.Train.LearningRate)
	fill(&c.LM.LMOnlyLearningRate, c.LM.LearningRate)
	fill(&c.Objective.Temperature, defaultTemperature(c.Objective.Name))
	fill(&c.Evaluate.MaxLength, c.Retriever.MaxLength)
}

// defaultTemperature is the paper's for revela and the customary one for InfoNCE.
func defaultTemperature(objective string) float64 {
	if objective == "infonce" {
		return 0.02
	}
	return 1e-4
}

// fill sets a field that holds the zero value, which stands for null.
func fill[T comparable](field *T, value T) {
	var null T
	if *field == null {
		*field = value
	}
}
