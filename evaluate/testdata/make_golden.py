"""Golden values of pytrec_eval for TestGoldenPytrecEval. Writes JSON to standard output.

    python make_golden.py [SEED] > golden.json

Needs pytrec_eval (pytrec-eval-terrier). Rankings are random, with equal scores, scores that differ only beyond
float32, unjudged documents, negative judgements, queries without relevant documents and queries without results.
"""
import json
import random
import sys

import pytrec_eval

CUTS = "1,3,5,10,20,100"
MEASURES = {f"{name}.{CUTS}" for name in ("ndcg_cut", "map_cut", "recall", "P", "success")} | {
    "map", "ndcg", "recip_rank", "Rprec", "bpref", "num_ret", "num_rel", "num_rel_ret"}


def score(rng):
    kind = rng.random()
    if kind < 0.4:
        return float(rng.randint(-2, 3))
    if kind < 0.7:
        return 1.0 + rng.randint(0, 20) * 1e-9
    return rng.uniform(-3, 3)


def case(rng, level):
    qrels, run = {}, {}
    for q in range(30):
        documents = [f"d{i}" for i in range(rng.randint(3, 60))]
        rng.shuffle(documents)
        levels = [-1, 0, 0, 0, 1, 2, 3] if q % 5 else [-1, 0, level - 1]
        judged = rng.sample(documents, rng.randint(1, len(documents)))
        qrels[f"q{q}"] = {d: rng.choice(levels) for d in judged}
        # trec_eval 9.0.8 reads beyond its table of levels where no judgement reaches this one.
        qrels[f"q{q}"][judged[0]] = level - 1
        if q % 7:
            run[f"q{q}"] = {d: score(rng) for d in rng.sample(documents, rng.randint(1, len(documents)))}
    run["unjudged query"] = {"d1": 1.0}
    values = pytrec_eval.RelevanceEvaluator(qrels, MEASURES, relevance_level=level).evaluate(run)
    return {"relevance_level": level, "qrels": qrels, "run": run, "values": values}


def main():
    rng = random.Random(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    json.dump([case(rng, level) for level in (1, 2, 1, 2)], sys.stdout, separators=(",", ":"), sort_keys=True)
    print()


main()
