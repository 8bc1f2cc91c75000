"""What the paper's preparation does in Python: python punkt_chunks.py FILE.jsonl….

Cuts the texts by NLTK's Punkt into whole sentences, at most 120 words a chunk, and writes them as JSON; one thread. Prints
the rate. Needs nltk and punkt_tab (see data/sentence/testdata/punkt.py).
"""
import json
import os
import sys
import time

from nltk.tokenize import sent_tokenize


def main():
    sent_tokenize("The model is loaded. It takes a moment.")
    begin, size, chunks = time.perf_counter(), 0, 0
    with open(os.devnull, "w", encoding="utf-8") as out:
        for path in sys.argv[1:]:
            with open(path, encoding="utf-8") as file:
                for line in file:
                    size += len(line.encode())
                    for chunk in chunks_of(json.loads(line)["text"]):
                        out.write(json.dumps(chunk) + "\n")
                        chunks += 1
    seconds = time.perf_counter() - begin
    print(f"{size / 1e6:.1f} MB, {chunks} chunks, {seconds:.2f} s, {size / 1e6 / seconds:.2f} MB/s")


def chunks_of(text):
    chunk, length = [], 0
    for sentence in sent_tokenize(text):
        words = len(sentence.split())
        if chunk and length + words > 120:
            yield " ".join(chunk)
            chunk, length = [], 0
        chunk.append(sentence)
        length += words
    if chunk:
        yield " ".join(chunk)


main()
