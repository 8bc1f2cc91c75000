"""Checks the summary that the quick start leaves: every key, and numbers that can be right.

usage: check_quickstart.py summary.json
"""

import json
import sys
from pathlib import Path

MODELS = {"bm25", "before", "after", "infonce"}


def main(path):
    summary = json.loads(Path(path).read_text(encoding="utf-8"))
    scores = summary["ndcg@10"]
    assert set(scores) == MODELS, scores
    assert all(0.3 < score < 1 for score in scores.values()), scores
    assert scores["after"] != scores["before"], "training changed nothing"
    assert summary["seconds"] and all(seconds > 0 for seconds in summary["seconds"].values()), summary["seconds"]
    assert summary["seed"] == 1, summary["seed"]
    assert summary["go"].startswith("go1."), summary["go"]
    print(f"{path}: {scores}")


if __name__ == "__main__":
    main(sys.argv[1])
