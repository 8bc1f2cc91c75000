package train

import (
	"revela/model"
	"revela/model/checkpoint"
)

// export writes the retriever as the run leaves it: LoRA merged, averaged with the start where the configuration says so,
// in fp32, in the layout of sentence-transformers.
func (t *trainer) export(dir string) error {
	l := t.learners[0]
	network := l.network
	if share := t.in.config.Retriever.AverageWithStart; share > 0 {
		start, err := retrieverRecipe(t.in).start()
		if err != nil {
			return err
		}
		defer start.Free()
		if err := model.Average(l.network, start, share); err != nil {
			return err
		}
		network = start
	}
	c, err := checkpoint.ReadConfig(l.source.dir)
	if err != nil {
		return err
	}
	return model.ExportSentence(dir, model.Export{Network: network, Config: c, Tokenizer: l.source.tokenizer,
		Base: l.source.name}, t.in.settings)
}
