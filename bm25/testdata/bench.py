"""bm25s's times for the benchmarks of this package: python bench.py SCIFACT_FOLDER. Needs bm25s and PyStemmer."""
import json
import sys
import time

import bm25s
import Stemmer

QUIET = {"show_progress": False}


def lines(name):
    with open(f"{sys.argv[1]}/{name}", encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def main():
    texts = [(d["title"] + " " + d["text"]).strip() for d in lines("corpus.jsonl")]
    with open(f"{sys.argv[1]}/qrels/test.tsv", encoding="utf-8") as f:
        judged = {line.split("\t")[0] for line in f}
    queries = [q["text"] for q in lines("queries.jsonl") if q["_id"] in judged]
    stemmer = Stemmer.Stemmer("english")
    for _ in range(3):
        start = time.perf_counter()
        index = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
        index.index(bm25s.tokenize(texts, stopwords="en", stemmer=stemmer, **QUIET), **QUIET)
        built = time.perf_counter()
        index.retrieve(bm25s.tokenize(queries, stopwords="en", stemmer=stemmer, **QUIET), k=1000, n_threads=0, **QUIET)
        done = time.perf_counter()
        print(f"index {built - start:.3f} s, {len(queries)} queries {1000 * (done - built):.1f} ms")


main()
