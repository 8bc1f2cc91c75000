"""What revela writes, read by the libraries that everybody uses: sentence-transformers, peft and transformers.

Run by pytest; paths come from the environment, and a test whose folder is not named is skipped, but fails under CI:
  REVELA_MODEL_DIR       the model/ of a run folder, sentence-transformers layout; several with colons between
  REVELA_ADAPTER_DIR     a PEFT folder of a checkpoint (…/retriever or …/lm)
  REVELA_MERGED_DIR      the same checkpoint after `revela export`, merged weights
  REVELA                 the program, default bin/revela of this repository
"""

import json
import os
import pathlib
import subprocess

import numpy
import pytest
import torch
from peft import PeftConfig, PeftModel
from sentence_transformers import SentenceTransformer
from transformers import AutoModel, AutoModelForCausalLM

from minilm_texts import texts

ROOT = pathlib.Path(__file__).resolve().parent.parent
EMBEDDING_TOLERANCE = 1e-5  # absolute, of unit vectors
OUTPUT_TOLERANCE = 1e-5  # share of the largest output


def folder(variable):
    return named(variable, os.environ.get(variable))


def named(variable, path):
    if not path:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{variable} names no folder")
    return pathlib.Path(path)


@pytest.fixture(scope="module", params=os.environ.get("REVELA_MODEL_DIR", "").split(":"))
def model(request):
    """The folder, and what sentence-transformers makes of it."""
    path = named("REVELA_MODEL_DIR", request.param)
    return path, SentenceTransformer(str(path), device="cpu")


@pytest.mark.parametrize("kind", ["passage", "query"])
def test_embeddings_equal_sentence_transformers(model, kind, tmp_path):
    path, sentence_transformer = model
    ours = encode(path, kind, tmp_path)
    reference = {"passage": sentence_transformer.encode_document, "query": sentence_transformer.encode_query}[kind]
    theirs = reference(texts(), convert_to_numpy=True)
    assert ours.shape == theirs.shape
    assert ours.dtype == numpy.float32
    difference = numpy.abs(ours - theirs).max(axis=1)
    worst = int(difference.argmax())
    assert difference[worst] <= EMBEDDING_TOLERANCE, f"text {worst}: {texts()[worst][:60]!r}"


def test_settings_of_the_folder(model):
    _, sentence_transformer = model
    assert sentence_transformer.max_seq_length is not None
    assert {"query", "document"} <= set(sentence_transformer.prompts)


def test_adapter_merged_by_peft_equals_export():
    adapter, merged = folder("REVELA_ADAPTER_DIR"), folder("REVELA_MERGED_DIR")
    base = PeftConfig.from_pretrained(adapter).base_model_name_or_path
    loader = loader_of(merged)  # an adapter of a bare network may name a base whose class has a head
    with_adapter = PeftModel.from_pretrained(loader.from_pretrained(base, dtype=torch.float32), adapter)
    check_adapter_is_trained(with_adapter)
    expected = outputs(with_adapter.merge_and_unload())
    found = outputs(loader.from_pretrained(merged, dtype=torch.float32))
    error = (expected - found).abs().max().item()
    assert error <= OUTPUT_TOLERANCE * expected.abs().max().item()


def check_adapter_is_trained(model):
    """B starts at zero: an adapter that was never trained would prove nothing."""
    norms = [weight.norm().item() for name, weight in model.named_parameters() if "lora_B" in name]
    assert norms
    assert all(norm > 0 for norm in norms)


def encode(model, kind, tmp_path):
    """Runs revela encode over the fixed texts."""
    source, output = tmp_path / "texts.jsonl", tmp_path / "out.npy"
    rows = [json.dumps({"_id": str(index), "text": text}) + "\n" for index, text in enumerate(texts())]
    source.write_text("".join(rows), encoding="utf-8")
    command = [os.environ.get("REVELA", str(ROOT / "bin" / "revela")), "encode", "--model", str(model)]
    command += ["--input", str(source), "--output", str(output), "--kind", kind, "--precision", "fp32"]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return numpy.load(output)


def loader_of(folder):
    """Returns transformers' class for a folder: causal language models have logits, the others hidden states."""
    config = json.loads((pathlib.Path(folder) / "config.json").read_text())
    causal = config["architectures"][0].endswith("ForCausalLM")
    return AutoModelForCausalLM if causal else AutoModel


@torch.no_grad()
def outputs(model):
    """Logits, or hidden states where there are none, of one fixed row of token ids."""
    ids = torch.arange(3, 35).unsqueeze(0) % model.config.vocab_size
    result = model.eval()(input_ids=ids)
    return result.logits if "logits" in result else result.last_hidden_state
