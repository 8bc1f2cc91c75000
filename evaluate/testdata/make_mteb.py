"""Golden values of mteb's retrieval scores, nAUC included, for TestGoldenMTEB. Writes JSON to standard output.

    python make_mteb.py > mteb.json

Needs mteb 2.26 or later. Scores are drawn coarse, so that equal ones are common.
"""
import json
import random
import sys

import numpy
from mteb._evaluators.retrieval_metrics import calculate_retrieval_scores, make_score_dict

K = [1, 3, 5, 10, 20, 100, 1000]


def case(rng):
    qrels, run = {}, {}
    for q in range(23):
        documents = [f"d{i}" for i in range(rng.randint(3, 40))]
        qrels[f"q{q:02}"] = {d: rng.choice([0, 1, 1, 2]) for d in rng.sample(documents, rng.randint(1, len(documents)))}
        qrels[f"q{q:02}"][documents[0]] = 1
        found = rng.sample(documents, rng.randint(1, len(documents)))
        run[f"q{q:02}"] = {d: rng.randint(-8, 8) / 16 if q % 2 else float(numpy.float32(rng.uniform(-1, 1))) for d in found}
    r = calculate_retrieval_scores(run, qrels, K)
    scores = make_score_dict(ndcg=r.ndcg, _map=r.map, recall=r.recall, precision=r.precision, mrr=r.mrr, naucs=r.naucs,
                             naucs_mrr=r.naucs_mrr, hit_rate=r.hit_rate, task_scores={})
    return {"qrels": qrels, "run": run, "scores": {k: None if v != v else float(v) for k, v in scores.items()}}


rng = random.Random(1)
json.dump([case(rng) for _ in range(3)], sys.stdout, separators=(",", ":"), sort_keys=True)
print()
