// Package train teaches a retriever: objectives, the optimiser's step, schedules, checkpoints and the log of a run.
package train

import (
	"revela/model"
	"revela/model/tokenizer"
)

// Objective is what a run minimises.
type Objective interface {
	// Step computes the loss of one group and adds share times its gradient to the learning parameters.
	Step(b *Batch, share float64) (Result, error)
}

// Result is what a step tells about its group.
type Result struct {
	Loss    float64
	Tokens  int     // read by the language model, or by the retriever where there is none
	Entropy float64 // of the weights of a query over the texts, in nats, mean over queries
}

// Models are the networks of a run. LM and its tokenizer are nil where the objective has none.
type Models struct {
	Retriever   *model.Retriever
	LM          *model.LanguageModel
	LMTokenizer *tokenizer.Tokenizer
}
