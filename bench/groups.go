package bench

import (
	"context"
	"fmt"
	"time"

	"revela/data"
	"revela/model"
	"revela/model/checkpoint"
	"revela/model/tokenizer"
	"revela/train"
)

// real loads two checkpoints and tokenises groups of a file, one a step and from the start again where there are too few.
// The retriever reads "query: " and "passage: " and ends texts with EOS where it pools on it, as the peer does.
func (r *stepRun) real(ctx context.Context, o StepOptions) error {
	retriever, tok, err := openNetwork(ctx, o, o.Retriever, model.Load)
	if err != nil {
		return fmt.Errorf("retriever: %w", err)
	}
	pooling := model.PoolMean
	if retriever.Causal() {
		pooling = model.PoolEOS
	}
	r.models.Retriever = &model.Retriever{Network: retriever, Tokenizer: tok, RetrieverSettings: model.RetrieverSettings{
		Pooling: pooling, Normalize: true, AppendEOS: model.EndsWithEOS(tok, pooling), QueryPrefix: "query: ",
		PassagePrefix: "passage: ", MaxLength: o.MaxLen}}
	r.models.LM, r.models.LMTokenizer, err = openNetwork(ctx, o, o.LM, model.LoadLanguageModel)
	if err != nil {
		return fmt.Errorf("language model: %w", err)
	}
	return r.readGroups(o)
}

// openNetwork resolves a checkpoint's name and loads it with its tokenizer and new LoRA.
func openNetwork[N model.Network](ctx context.Context, o StepOptions, name string,
	load func(dir string, o model.Options) (N, error)) (n N, tok *tokenizer.Tokenizer, err error) {
	dir, err := (&checkpoint.Resolver{}).Resolve(ctx, name, "")
	if err != nil {
		return n, nil, err
	}
	if tok, err = model.LoadTokenizer(dir); err != nil {
		return n, nil, err
	}
	if n, err = load(dir, model.Options{Compute: o.DType, Learns: func(string) bool { return o.LoRARank == 0 }}); err != nil {
		return n, nil, err
	}
	if o.LoRARank > 0 {
		if err = model.AddLoRA(n, model.LoRAOptions{Rank: o.LoRARank, Alpha: o.LoRAAlpha, Dropout: o.LoRADropout}, 1); err == nil {
			err = model.Prepack(n, true)
		}
	}
	return n, tok, err
}

func (r *stepRun) readGroups(o StepOptions) error {
	groups, err := data.Open([]string{o.Groups}, data.Options{GroupSize: o.GroupSize})
	if err != nil {
		return err
	}
	defer groups.Close()
	batcher := train.Batcher{Models: r.models, Lengths: train.Lengths{
		RetrieverQuery: o.MaxLen, RetrieverText: o.MaxLen, LMQuery: o.MaxLen - 1, LMText: o.MaxLen - 1}}
	var host []float64
	for i := range o.Steps {
		start := time.Now()
		group, err := groups.Group(0, i%groups.Len())
		if err != nil {
			return err
		}
		batch, err := batcher.Batch(group)
		if err != nil {
			return err
		}
		r.batches, host = append(r.batches, batch), append(host, time.Since(start).Seconds())
	}
	r.hostSeconds = median(host)
	return nil
}
