"""pytrec_eval's values of every query on trec_eval's own test files, for TestDataPytrecEval. Writes JSON.

    python trec_eval.py TREC_EVAL_TEST_FOLDER > trec_eval.json

Needs pytrec_eval (pytrec-eval-terrier).
"""
import json
import sys

import pytrec_eval

PAIRS = [("qrels.test", "results.test", 1), ("qrels.test", "results.trunc", 1), ("qrels.rel_level", "results.test", 2)]
CUTS = "1,3,5,10,20,100,200,500,1000"
MEASURES = {f"{name}.{CUTS}" for name in ("ndcg_cut", "map_cut", "recall", "P", "success")} | {
    "map", "ndcg", "recip_rank", "Rprec", "bpref", "num_ret", "num_rel", "num_rel_ret"}


def read(name):
    with open(f"{sys.argv[1]}/{name}", encoding="utf-8") as f:
        return [line.split() for line in f if line.strip() and not line.startswith("#")]


def main():
    out = []
    for qrels_name, run_name, level in PAIRS:
        qrels, run = {}, {}
        for query, _, document, relevance in read(qrels_name):
            qrels.setdefault(query, {})[document] = int(relevance)
        for query, _, document, _, score, *_ in read(run_name):
            run.setdefault(query, {})[document] = float(score)
        values = pytrec_eval.RelevanceEvaluator(qrels, MEASURES, relevance_level=level).evaluate(run)
        out.append({"qrels": qrels_name, "run": run_name, "relevance_level": level, "values": values})
    json.dump(out, sys.stdout, separators=(",", ":"), sort_keys=True)
    print()


main()
