"""Stored answers of scipy for TestScipy: paired tests of two runs. Writes JSON to standard output.

    python make_scipy.py > scipy.json

Values are what NDCG@10 looks like: many zeros and ones, many queries that do not change.
"""
import json
import sys

import numpy
from scipy import stats

DRAWS = 200_000


def case(rng, queries, gain):
    first = numpy.where(rng.random(queries) < 0.3, rng.integers(0, 2, queries), rng.random(queries)).round(4)
    changed = rng.random(queries) < 0.6
    second = numpy.clip(first + changed * rng.normal(gain, 0.25, queries), 0, 1).round(4)
    mean = lambda x, axis=-1: numpy.mean(x, axis=axis)
    interval = stats.bootstrap((second - first,), mean, n_resamples=DRAWS, method="percentile", batch=1000, rng=rng).confidence_interval
    test = stats.permutation_test((second, first), lambda x, y, axis=-1: numpy.mean(x - y, axis=axis), permutation_type="samples",
                                  n_resamples=DRAWS, vectorized=True, batch=1000, rng=rng)
    own = stats.bootstrap((second,), mean, n_resamples=DRAWS, method="percentile", batch=1000, rng=rng).confidence_interval
    return {"first": first.tolist(), "second": second.tolist(), "interval": list(interval), "p": float(test.pvalue), "second_interval": list(own)}


def main():
    rng = numpy.random.default_rng(3)
    json.dump([case(rng, n, gain) for n, gain in ((12, 0.2), (50, 0.05), (300, 0.03), (300, 0.0))], sys.stdout)
    print()


main()
