#!/usr/bin/env python3
"""Exact search beside `go test ./encode -bench Search`: the same sizes in torch, numpy and faiss.

usage: bench_search.py [--queries 1000] [--documents 524288] [--dim 384] [--top-k 1000] [--repeat 3]

Documents come in blocks of 65536, as mteb takes them: a product and the top k of each block, then the top k of all. faiss
(pip install faiss-cpu; left out where it is missing) gets all of them at once. Prints the fastest of the repetitions.
"""

import argparse
import os
import time

import numpy
import torch

BLOCK = 65536


def main():
    a = parse_arguments()
    rng = numpy.random.default_rng(1)
    queries, documents = unit(rng, a.queries, a.dim), unit(rng, a.documents, a.dim)
    torch.set_num_threads(os.cpu_count())
    flops = 2 * a.queries * a.documents * a.dim
    peak = product_rate()
    print(f"peak of a 2048³ product: {peak / 1e9:.1f} GFLOP/s")
    for name, search in (("torch", by_torch), ("numpy", by_numpy), ("faiss", by_faiss)):
        run = search(queries, documents, a.top_k)
        if run is None:
            print(f"{name}: not installed")
            continue
        seconds = min(timed(run) for _ in range(a.repeat))
        print(f"{name}: {seconds:.2f} s, {flops / seconds / 1e9:.1f} GFLOP/s, {100 * flops / seconds / peak:.0f} % of the peak")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (("queries", 1000), ("documents", 524288), ("dim", 384), ("top-k", 1000), ("repeat", 3)):
        parser.add_argument("--" + name, type=int, default=value)
    return parser.parse_args()


def unit(rng, n, dim):
    rows = rng.standard_normal((n, dim), dtype=numpy.float32)
    return rows / numpy.linalg.norm(rows, axis=1, keepdims=True)


def timed(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def product_rate(n=2048):
    a, b = torch.randn(n, n), torch.randn(n, n)
    return 2 * n**3 / min(timed(lambda: a @ b) for _ in range(20))


def by_torch(queries, documents, k):
    q, d = torch.from_numpy(queries), torch.from_numpy(documents)

    def run():
        values, indices = [], []
        for start in range(0, len(d), BLOCK):
            best = (q @ d[start : start + BLOCK].T).topk(min(k, BLOCK), dim=1)
            values.append(best.values)
            indices.append(best.indices + start)
        best = torch.cat(values, 1).topk(k, dim=1)
        return torch.cat(indices, 1).gather(1, best.indices), best.values

    return run


def by_numpy(queries, documents, k):
    def run():
        values, indices = [], []
        for start in range(0, len(documents), BLOCK):
            products = queries @ documents[start : start + BLOCK].T
            best = numpy.argpartition(products, -k, axis=1)[:, -k:]
            values.append(numpy.take_along_axis(products, best, 1))
            indices.append(best + start)
        values, indices = numpy.concatenate(values, 1), numpy.concatenate(indices, 1)
        best = numpy.argsort(-values, axis=1)[:, :k]
        return numpy.take_along_axis(indices, best, 1), numpy.take_along_axis(values, best, 1)

    return run


def by_faiss(queries, documents, k):
    try:
        import faiss
    except ImportError:
        return None
    index = faiss.IndexFlatIP(documents.shape[1])
    index.add(documents)
    return lambda: index.search(queries, k)


if __name__ == "__main__":
    main()
