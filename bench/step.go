// Package bench times the training step and the encoder, side by side with the PyTorch peer of the same flags.
package bench

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sort"
	"time"

	"revela/model"
	"revela/model/checkpoint"
	"revela/torch"
	"revela/train"
)

// shape is a decoder's size: hidden, layers, heads, kv heads, intermediate, vocabulary, as the peer names it.
type shape struct{ hidden, layers, heads, kvHeads, inner, vocabulary int }

var shapes = map[string]shape{
	"nano":    {64, 3, 4, 2, 128, 600},
	"tiny":    {288, 6, 6, 6, 768, 32000},
	"smol":    {576, 30, 9, 3, 1536, 49152},
	"qwen":    {896, 24, 14, 2, 4864, 151936},
	"llama1b": {2048, 16, 32, 8, 8192, 128256},
}

// Shapes lists the names of the sizes.
func Shapes() []string {
	var names []string
	for name := range shapes {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// StepOptions are the flags of the peer `revela_torch.py`.
type StepOptions struct {
	Shape       string
	Retriever   string // checkpoints and a file of groups in place of a shape and random tokens
	LM          string
	Groups      string
	GroupSize   int
	MaxLen      int // tokens of a text at most; random lengths are uniform from ¾ of it
	Steps       int
	DType       torch.DType
	LoRARank    int // 0: full fine-tuning
	LoRAAlpha   float64
	LoRADropout float64 // of its input
	Tau         float64
	Recompute   bool
	Breakdown   bool   // observe one step more
	Trace       string // file for a time line of one step more; "": none
}

// StepResult has the peer's JSON keys, and those of our own below them.
type StepResult struct {
	Losses       []float64 `json:"losses"`
	Seconds      []float64 `json:"seconds"`
	MedianStep   float64   `json:"median_step_s"`
	TokensPerSec float64   `json:"lm_tokens_per_s"`
	PeakRSS      int64     `json:"peak_rss_mib"`

	Tokens       int64   `json:"lm_tokens"`       // of the last step
	Device       string  `json:"device"`          // that the steps ran on
	ChunksPerSec float64 `json:"chunks_per_s"`    // of the retriever's texts
	PeakDevice   int64   `json:"peak_device_mib"` // of tensors on the device; 0 on the CPU

	Breakdown *Breakdown `json:"breakdown,omitempty"`
}

// Step times training steps of two decoders, random ones of one size on random tokens as the peer does, or real ones.
func Step(ctx context.Context, o StepOptions) (r StepResult, err error) {
	runtime.LockOSThread() // as training does
	defer runtime.UnlockOSThread()
	run, err := newStepRun(ctx, o)
	if err != nil {
		return r, err
	}
	defer run.free()
	for i := range o.Steps {
		if ctx.Err() != nil {
			return r, ctx.Err()
		}
		start := time.Now()
		result, err := run.stepper.Step(run.batches[i], 1e-4)
		if err == nil {
			err = torch.Synchronize()
		}
		if err != nil {
			return r, fmt.Errorf("step %d: %w", i+1, err)
		}
		r.Losses, r.Seconds = append(r.Losses, result.Loss), append(r.Seconds, time.Since(start).Seconds())
	}
	r.Tokens = run.last().LMTexts.Tokens()
	r.MedianStep = median(r.Seconds[min(1, len(r.Seconds)-1):])
	r.TokensPerSec = float64(r.Tokens) / r.MedianStep
	r.ChunksPerSec = float64(run.last().Texts.Len()) / r.MedianStep
	r.PeakRSS = torch.PeakResidentBytes() >> 20
	memory, err := torch.ReadDeviceMemory(false)
	if err != nil {
		return r, err
	}
	r.Device, r.PeakDevice = torch.Device(), memory.Peak>>20
	if o.Breakdown {
		if r.Breakdown, err = run.observe(o); err != nil {
			return r, err
		}
	}
	if o.Trace != "" {
		err = run.trace(o.Trace)
	}
	return r, err
}

// stepRun is what the steps share.
type stepRun struct {
	models      train.Models
	objective   *train.Revela
	stepper     *train.Stepper
	batches     []*train.Batch // a step each
	hostSeconds float64        // to make a batch of a group
}

func newStepRun(ctx context.Context, o StepOptions) (*stepRun, error) {
	if err := torch.Seed(0); err != nil {
		return nil, err
	}
	r := &stepRun{}
	load := r.random
	if o.Groups != "" {
		load = r.real
	}
	if err := load(ctx, o); err != nil {
		r.free()
		return nil, err
	}
	r.objective = &train.Revela{Models: r.models, Scale: 1, ValueNorm: true, Recompute: o.Recompute, Dropout: o.LoRADropout > 0,
		Similarity: model.Similarity{Temperature: o.Tau, ExcludeSelf: true, Normalize: true, Precision: torch.Float32}}
	var err error
	r.stepper, err = train.NewStepper(r.objective, append(model.AllParams(r.models.Retriever.Network), r.models.LM.Params()...))
	if err != nil {
		r.free()
		return nil, err
	}
	return r, nil
}

func (r *stepRun) last() *train.Batch { return r.batches[len(r.batches)-1] }

func (r *stepRun) free() {
	if r.stepper != nil {
		r.stepper.Free()
	}
	if r.models.LM != nil {
		r.models.LM.Free()
	}
	if r.models.Retriever != nil {
		r.models.Retriever.Free()
	}
}

// random draws two models of a shape and their batches.
func (r *stepRun) random(_ context.Context, o StepOptions) error {
	retriever, err := randomModel(o, 1)
	if err != nil {
		return err
	}
	r.models.Retriever = &model.Retriever{Network: retriever.Decoder,
		RetrieverSettings: model.RetrieverSettings{Pooling: model.PoolEOS, Normalize: true, MaxLength: o.MaxLen}}
	if r.models.LM, err = randomModel(o, 2); err != nil {
		return err
	}
	return r.randomBatches(o)
}

// randomModel draws a Llama of the size; its LoRA where a rank is given, else all its parameters, learn.
func randomModel(o StepOptions, seed uint64) (*model.LanguageModel, error) {
	size, ok := shapes[o.Shape]
	if !ok {
		return nil, fmt.Errorf("shape %q found; one of %v expected", o.Shape, Shapes())
	}
	c, err := checkpoint.ParseConfig("shape "+o.Shape, fmt.Appendf(nil, `{"model_type": "llama", "architectures": ["LlamaForCausalLM"],
		"hidden_size": %d, "num_hidden_layers": %d, "num_attention_heads": %d, "num_key_value_heads": %d,
		"intermediate_size": %d, "vocab_size": %d, "tie_word_embeddings": true}`,
		size.hidden, size.layers, size.heads, size.kvHeads, size.inner, size.vocabulary))
	if err != nil {
		return nil, err
	}
	m, err := model.RandomLanguageModel(c, model.Options{Compute: o.DType, Learns: func(string) bool { return o.LoRARank == 0 }})
	if err != nil || o.LoRARank == 0 {
		return m, err
	}
	if err := model.AddLoRA(m.Decoder, model.LoRAOptions{Rank: o.LoRARank, Alpha: o.LoRAAlpha, Dropout: o.LoRADropout}, seed); err != nil {
		return m, err
	}
	return m, model.Prepack(m, true)
}

// randomBatches draws queries, passages and chunks for every step, in the peer's order from the peer's generator.
func (r *stepRun) randomBatches(o StepOptions) error {
	if err := torch.Seed(1); err != nil {
		return err
	}
	var host []float64
	for range o.Steps {
		var sequences [3][][]int32
		for i := range sequences {
			drawn, err := randomSequences(o)
			if err != nil {
				return err
			}
			sequences[i] = drawn
		}
		start := time.Now()
		b := &train.Batch{Queries: model.Pack(sequences[0]), Texts: model.Pack(sequences[1]), LMTexts: model.Pack(sequences[2])}
		b.LMQueries = b.LMTexts
		var err error
		if b.Targets, err = model.NextTokens(b.LMTexts, -1); err != nil {
			return err
		}
		r.batches, host = append(r.batches, b), append(host, time.Since(start).Seconds())
	}
	r.hostSeconds = median(host)
	return nil
}

func randomSequences(o StepOptions) ([][]int32, error) {
	s := torch.NewScope()
	defer s.Close()
	n, width := int64(o.GroupSize), int64((o.MaxLen+15)/16*16)
	lengths := s.RandInt(int64(o.MaxLen*3/4), int64(o.MaxLen+1), n)
	ids := s.RandInt(5, int64(shapes[o.Shape].vocabulary), n, width)
	if s.Err() != nil {
		return nil, s.Err()
	}
	lens, err := torch.Read[int64](lengths)
	if err != nil {
		return nil, err
	}
	tokens, err := torch.Read[int64](ids)
	if err != nil {
		return nil, err
	}
	sequences := make([][]int32, n)
	for i, length := range lens {
		for _, id := range tokens[int64(i)*width : int64(i)*width+length] {
			sequences[i] = append(sequences[i], int32(id))
		}
	}
	return sequences, nil
}

func median(x []float64) float64 {
	sorted := append([]float64(nil), x...)
	sort.Float64s(sorted)
	n := len(sorted)
	return (sorted[n/2] + sorted[(n-1)/2]) / 2
}
