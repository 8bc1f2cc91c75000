#!/usr/bin/env python3
"""Writes chunks of real text for measuring neighbours: make_chunks.py N > chunks.jsonl

A line is {"_id", "text"}: whole sentences of one document, at most 120 words, of the raw texts and abstracts below
$REVELA_DATA (default ../shared/data), shuffled. There are about 60,000 of these. What is asked for beyond is made of
them: half of a chunk's sentences are exchanged for sentences of other chunks, every tenth word for one drawn from all
text, and one word in a hundred for a new one, so that the vocabulary grows as it does in real text. The same N gives
the same bytes, and a smaller N gives its first lines. Standard library only.
"""

import json
import os
import random
import re
import sys
from pathlib import Path

SOURCES = ("text-*/docs.jsonl", "scifact/corpus.jsonl", "cranfield/corpus.jsonl")
WORDS = 120
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n\s*\n")


def main():
    if len(sys.argv) != 2 or not sys.argv[1].isdigit():
        sys.exit("usage: make_chunks.py N > chunks.jsonl")
    wanted = int(sys.argv[1])
    rng = random.Random(1)
    real = list(real_chunks())
    if not real:
        sys.exit(f"make_chunks: no texts in {data()}, expected {', '.join(SOURCES)}")
    rng.shuffle(real)
    for number, sentences in enumerate(real[:wanted]):
        write(number, [" ".join(words) for words in sentences])
    words = [word for sentences in real for sentence in sentences for word in sentence]
    for number in range(len(real), wanted):
        write(number, made_of(rng, real, words))


def data():
    return Path(os.environ.get("REVELA_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")


def real_chunks():
    """Yields chunks, lists of sentences, which are lists of words."""
    for pattern in SOURCES:
        for path in sorted(data().glob(pattern)):
            with open(path, encoding="utf-8") as file:
                for line in file:
                    yield from chunks_of(json.loads(line)["text"])


def chunks_of(text):
    chunk, length = [], 0
    for sentence in SENTENCE_END.split(text):
        words = sentence.split()[:WORDS]
        if length + len(words) > WORDS:
            yield chunk
            chunk, length = [], 0
        if words:
            chunk.append(words)
            length += len(words)
    if length > WORDS // 4:
        yield chunk


def made_of(rng, real, words):
    """A chunk made of real ones, as a list of texts."""
    texts = []
    for sentence in rng.choice(real):
        if rng.random() < 0.5:
            sentence = rng.choice(rng.choice(real))
        texts.append(" ".join(exchanged(rng, word, words) for word in sentence))
    return texts


def exchanged(rng, word, words):
    place = rng.random()
    if place < 0.01:
        return f"{rng.choice(words)}{rng.randrange(10**7)}"
    return rng.choice(words) if place < 0.11 else word


def write(number, texts):
    sys.stdout.write(json.dumps({"_id": str(number), "text": " ".join(texts)}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
