"""bm25s's neighbours of a corpus's texts: python neighbours.py CORPUS QUERIES K [time].

Prints a JSON object of the positions of the queries, spread evenly, and the scores of their K nearest; with `time` the
seconds instead. Needs bm25s and PyStemmer.
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
    with open(path, encoding="utf-8") as f:
        texts = [json.loads(line)["text"] for line in f]
    stemmer = Stemmer.Stemmer("english")
    begin = time.perf_counter()
    index = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    index.index(bm25s.tokenize(texts, stopwords="en", stemmer=stemmer, **QUIET), **QUIET)
    indexed = time.perf_counter()
    queries = [i * len(texts) // n for i in range(n)]
    tokens = bm25s.tokenize([texts[q] for q in queries], stopwords="en", stemmer=stemmer, return_ids=False, **QUIET)
    rows = []
    for threads in (0, 2):
        start = time.perf_counter()
        documents, scores = index.retrieve(tokens, k=k + 1, n_threads=threads, **QUIET)
        seconds = time.perf_counter() - start
        rows.append({"threads": threads, "milliseconds": 1000 * seconds / n})
    if len(sys.argv) > 4:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        print(json.dumps({"texts": len(texts), "index_seconds": indexed - begin, "search": rows, "resident_mib": peak}))
        return
    found = []
    for query, row, values in zip(queries, documents.tolist(), scores.tolist()):
        own = row.index(query) if query in row else len(row) - 1  # of copies that rank alike, any may be missing
        found.append([v for place, v in enumerate(values) if place != own and v > 0])
    print(json.dumps({"Queries": queries, "Scores": found}))


main()
