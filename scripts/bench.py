#!/usr/bin/env python3
"""Measures bin/revela, beside other programs where they are, and writes a dated file under benchmarks/.

`make bench` calls it. Standard library only; the numbers come from `revela bench`, from the PyTorch step
$REVELA_PEERS/revela_torch.py (default ../shared/peers) and from python/bench_peer.py, both run by $PEER_PYTHON
(default python3). $BENCH selects sections ("step encode tokenize prepare load"), $BENCH_THREADS sets the threads of
all, $BENCH_STEPS the steps of a shape. Texts are read from $REVELA_DATA (default ../shared/data).
`--guard` measures less and compares ratios with benchmarks/baseline.json; `--baseline` writes that file.
"""

import argparse
import datetime
import json
import os
import platform
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import bench_sections
from bench_guard import compare, read_baseline, write_baseline

ROOT = Path(__file__).resolve().parent.parent
BASELINE = ROOT / "benchmarks" / "baseline.json"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--guard", action="store_true", help="compare with the baseline; exit status 1 where a ratio fell")
    parser.add_argument("--baseline", action="store_true", help="keep this run's ratios as the baseline")
    parser.add_argument("--output", type=Path, help="file to write (default: benchmarks/DATE-bench.md)")
    options = parser.parse_args()
    if options.guard and not BASELINE.exists():
        sys.exit(f"bench-guard: {shown_path(BASELINE)} is missing: make bench BENCH_FLAGS=--baseline writes it")
    bench = Bench(guard=options.guard)
    start = datetime.datetime.now()
    text = bench.run()
    if options.guard:
        sys.exit(guard(bench.ratios))
    output = options.output or unused(ROOT / "benchmarks", f"{start:%Y-%m-%d}-bench")
    minutes = (datetime.datetime.now() - start).total_seconds() / 60
    output.write_text(header(bench, start, minutes) + text, encoding="utf-8")
    print(f"written: {output}")
    if options.baseline:
        write_baseline(BASELINE, bench.ratios)
        print(f"written: {BASELINE}")


class Bench:
    """One run: what there is to compare with, the lines of the file, the ratios for the guard."""

    def __init__(self, guard):
        self.guard = guard
        self.threads = os.environ.get("BENCH_THREADS") or str(len(os.sched_getaffinity(0)))
        self.steps = os.environ.get("BENCH_STEPS")
        self.sections = (os.environ.get("BENCH") or ("step" if guard else " ".join(bench_sections.SECTIONS))).split()
        self.data = Path(os.environ.get("REVELA_DATA") or ROOT.parent / "shared" / "data")
        self.peer_python = os.environ.get("PEER_PYTHON") or "python3"
        self.peer_step = Path(os.environ.get("REVELA_PEERS") or ROOT.parent / "shared" / "peers") / "revela_torch.py"
        self.ratios, self.lines = {}, []
        self.dtype = fast_type()

    def run(self):
        unknown = set(self.sections) - set(bench_sections.SECTIONS)
        if unknown:
            sys.exit(f"bench: BENCH has {' '.join(sorted(unknown))}, expected some of {' '.join(bench_sections.SECTIONS)}")
        with tempfile.TemporaryDirectory(prefix="revela-bench-") as folder:
            self.folder = Path(folder)
            for name in self.sections:
                bench_sections.SECTIONS[name](self)
        return "\n".join(self.lines) + "\n"

    def say(self, *lines):
        """Adds lines to the file, and shows them."""
        for line in lines:
            print(line, flush=True)
            self.lines.append(line)

    def table(self, head, rows):
        """Adds a Markdown table; numbers are aligned to the right."""
        right = [all(isinstance(row[i], (int, float)) or row[i] == "" for row in rows) for i in range(len(head))]
        self.say("", "| " + " | ".join(head) + " |", "|" + "|".join("--:" if r else "---" for r in right) + "|")
        self.say(*("| " + " | ".join(shown(cell) for cell in row) + " |" for row in rows), "")

    def revela(self, *arguments):
        """Runs bin/revela bench and returns the object of its last line; None where it failed, which is said."""
        return self.json_of([str(ROOT / "bin" / "revela"), "bench", *map(str, arguments)])

    def peer(self, *command):
        """Runs a program in the peer's Python."""
        return self.json_of([self.peer_python, *map(str, command)])

    def json_of(self, command):
        line = shlex.join(command)
        for path, name in ((f"{ROOT}/", ""), (str(self.folder), "$TMP"), (f"{self.peer_step.parent}/", "$REVELA_PEERS/"),
                           (f"{self.peer_python} ", "$PEER_PYTHON ")):
            line = line.replace(path, name)
        print("$ " + line, file=sys.stderr, flush=True)
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode == 0:
            return json.loads(done.stdout.strip().splitlines()[-1])
        reason = (done.stderr.strip() or "no message").splitlines()[-1]
        status = "killed, out of memory perhaps" if done.returncode < 0 else reason
        self.say(f"- failed: `{line}`: {status}")
        return None

    def peer_lacks(self, what, modules, files=()):
        """Says why there is nothing to compare with, where that is so."""
        missing = next((file for file in files if not Path(file).exists()), None)
        if missing:
            self.say(f"- {what} is not measured beside: {shown_path(missing)} is missing (set REVELA_PEERS)")
            return True
        find = "import importlib.util as u, sys; sys.exit(any(u.find_spec(name) is None for name in sys.argv[1:]))"
        if subprocess.run([self.peer_python, "-c", find, *modules], capture_output=True).returncode:
            self.say(f"- {what} is not measured beside: {self.peer_python} lacks one of {', '.join(modules)} (set PEER_PYTHON)")
            return True
        return False


def fast_type():
    """What `precision: auto` is on this processor: where bf16 is emulated, a step in it would take hours."""
    doctor = json.loads(output_of([ROOT / "bin" / "revela", "doctor", "--json"]) or "{}")
    return doctor.get("precision", "fp32")


def guard(ratios):
    """Compares with the baseline and returns the exit status."""
    lines, fell = compare(read_baseline(BASELINE), ratios)
    print("\n".join(lines))
    return 1 if fell else 0


def header(bench, start, minutes):
    """Says what ran where, as every file of benchmarks/ does."""
    cpu = next((line.split(":", 1)[1].strip() for line in text_of("/proc/cpuinfo") if line.startswith("model name")), "?")
    memory = next((int(line.split()[1]) / 2**20 for line in text_of("/proc/meminfo") if line.startswith("MemTotal")), 0)
    load = os.getloadavg()[2]
    peers = output_of([bench.peer_python, "-c", PEER_VERSIONS])
    commit = output_of(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"])
    changed = ", with changes that are not committed" if output_of(["git", "-C", ROOT, "status", "--porcelain", "-uno"]) else ""
    variables = "".join(f"{name}={shlex.quote(os.environ[name])} " for name in ("BENCH", "BENCH_THREADS", "BENCH_STEPS")
                        if os.environ.get(name))
    return "\n".join([
        f"# Benchmarks of {start:%Y-%m-%d %H:%M}", "",
        f"- **machine**: {cpu}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB, {platform.system()}; load average "
        f"of the last 15 minutes {load:.1f}",
        f"- **versions**: commit {commit or '?'}{changed}; {output_of([ROOT / 'bin' / 'revela', '--version'])}",
        f"- **beside**: {peers or 'nothing'}",
        f"- **command**: `{variables}make bench`, {minutes:.0f} minutes, {bench.threads} threads; every program by itself"
        + ("" if bench.dtype == "bf16" else "; fp32 throughout, as this processor only emulates bf16"), ""])


PEER_VERSIONS = """
import importlib.metadata as m
def version(p):
    try: return p + " " + m.version(p)
    except m.PackageNotFoundError: return None
names = ["torch", "transformers", "peft", "sentence-transformers", "tokenizers"]
print(", ".join(filter(None, map(version, names))))
"""


def output_of(command):
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""


def text_of(path):
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def unused(folder, name):
    """A file is never written twice: the second of a day gets a number."""
    path, number = folder / f"{name}.md", 2
    while path.exists():
        path, number = folder / f"{name}-{number}.md", number + 1
    return path


def shown(cell):
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.3g}"
    return f"{cell:,}" if isinstance(cell, int) else cell


def shown_path(path):
    return os.path.relpath(path, ROOT)


if __name__ == "__main__":
    main()
