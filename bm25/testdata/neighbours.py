"""bm25s's neighbours of a corpus's texts: python neighbours.py CORPUS QUERIES K [numpy|numba THREADS].

Prints a JSON object of the positions of the queries, spread evenly, and the scores of their K nearest; with a backend and
a number of threads how long that took instead. Needs bm25s and PyStemmer, and numba for its backend.
"""
import json
import resource
import sys
import time

import bm25s
import Stemmer

QUIET = {"show_progress": False}


def main():
    path, n, k = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    backend, threads = (sys.argv[4], int(sys.argv[5])) if len(sys.argv) > 4 else ("numpy", 1)
    with open(path, encoding="utf-8") as f:
        texts = [json.loads(line)["text"] for line in f]
    if backend == "numba":
        warm_up(texts[:2000], k, threads)
    begin = time.perf_counter()
    index, stemmer = built(texts, backend)
    indexed = time.perf_counter()
    queries = [i * len(texts) // n for i in range(n)]
    tokens = bm25s.tokenize([texts[q] for q in queries], stopwords="en", stemmer=stemmer, return_ids=False, **QUIET)
    start = time.perf_counter()
    documents, scores = nearest(index, tokens, k, backend, threads)
    if len(sys.argv) > 4:
        rate = n / (time.perf_counter() - start)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        print(json.dumps({"index_seconds": indexed - begin, "neighbours_per_second": rate, "resident_mib": peak}))
        return
    found = []
    for query, row, values in zip(queries, documents.tolist(), scores.tolist()):
        own = row.index(query) if query in row else len(row) - 1  # of copies that rank alike, any may be missing
        found.append([v for place, v in enumerate(values) if place != own and v > 0])
    print(json.dumps({"Queries": queries, "Scores": found}))


def built(texts, backend):
    stemmer = Stemmer.Stemmer("english")
    index = bm25s.BM25(method="lucene", k1=1.5, b=0.75, backend=backend)
    index.index(bm25s.tokenize(texts, stopwords="en", stemmer=stemmer, **QUIET), **QUIET)
    return index, stemmer


def nearest(index, tokens, k, backend, threads):
    """numpy's own threads are off at 0; numba's serial code runs at 1."""
    return index.retrieve(tokens, k=k + 1, n_threads=0 if threads == 1 and backend == "numpy" else threads, **QUIET)


def warm_up(texts, k, threads):
    """Compiles what numba compiles at its first use."""
    index, stemmer = built(texts, "numba")
    tokens = bm25s.tokenize(texts[:10], stopwords="en", stemmer=stemmer, return_ids=False, **QUIET)
    nearest(index, tokens, k, "numba", threads)


main()
