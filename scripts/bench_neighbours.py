#!/usr/bin/env python3
"""Measures BM25 neighbours beside bm25s and prints a table: bench_neighbours.py [N …]

N is a number of chunks (default 10000 100000; see make_chunks.py). For each, the index is built and the 15 nearest of
some chunks are found on 1 and 2 threads, each in a process of its own: by ours, and up to --peer-up-to chunks by bm25s
with its numpy and its numba backend, where $PEER_PYTHON (default python3) has bm25s, PyStemmer and numba. That both
find the same is TestDataNearest of package bm25, which is run on the same chunks. Texts are read from $REVELA_DATA (default
../shared/data). `make bench-neighbours` calls it with the variables of the build.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PEER = ROOT / "bm25" / "testdata" / "neighbours.py"
HEAD = ("chunks", "program", "threads", "index, s", "neighbours/s", "ms × threads each", "peak memory, MiB")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chunks", nargs="*", type=int, default=[10_000, 100_000], metavar="N")
    parser.add_argument("--peer-up-to", type=int, default=100_000, metavar="N", help="bm25s is measured up to N chunks")
    parser.add_argument("--seeds", type=int, default=2000, metavar="N", help="chunks whose neighbours are found")
    options = parser.parse_args()
    python = os.environ.get("PEER_PYTHON") or "python3"
    with tempfile.TemporaryDirectory(prefix="revela-neighbours-") as folder:
        program = Path(folder) / "bm25.test"
        run(["go", "test", "-c", "-o", str(program), "./bm25"])
        for number, count in enumerate(options.chunks):
            chunks = Path(folder) / f"{count}.jsonl"
            with open(chunks, "wb") as file:
                subprocess.run([sys.executable, "-B", str(ROOT / "scripts" / "make_chunks.py"), str(count)], stdout=file, check=True)
            beside = count <= options.peer_up_to
            if number == 0:
                row(HEAD)
                row(["--:"] * len(HEAD))
            for threads in (1, 2):
                ours(program, chunks, count, options.seeds, threads)
                for backend in ("numpy", "numba") if beside else ():
                    peer(python, chunks, count, options.seeds, backend, threads)
            if beside:
                compare(program, chunks, count, python)
            chunks.unlink()


def run(command, env=(), cwd=ROOT):
    """Runs a command, in the root unless cwd is given, and returns what it prints."""
    process = subprocess.run(command, cwd=cwd, env={**os.environ, **dict(env)}, capture_output=True, text=True)
    if process.returncode:
        sys.exit(f"bench_neighbours: {' '.join(command)}: {process.stdout}{process.stderr}")
    return process.stdout


def ours(program, chunks, count, seeds, threads):
    env = {"REVELA_CHUNKS": str(chunks), "REVELA_SEEDS": str(seeds)}
    printed = run([str(program), "-test.run=^$", "-test.bench=Neighbours", "-test.benchtime=1x", f"-test.cpu={threads}"], env, cwd=ROOT / "bm25")
    value = {unit: float(number) for number, unit in re.findall(r"([\d.]+) (neighbours/s|s/index|MiB)", printed)}
    measured(count, "revela", threads, value["s/index"], value["neighbours/s"], value["MiB"])


def peer(python, chunks, count, seeds, backend, threads):
    value = json.loads(run([python, str(PEER), str(chunks), str(seeds), "15", backend, str(threads)]))
    measured(count, f"bm25s, {backend}", threads, value["index_seconds"], value["neighbours_per_second"], value["resident_mib"])


def measured(count, name, threads, index, rate, memory):
    row([f"{count:,}", name, threads, f"{index:.2f}", f"{rate:,.0f}", f"{1000 * threads / rate:.3f}", f"{memory:,.0f}"])


def compare(program, chunks, count, python):
    printed = run([str(program), "-test.run=^TestDataNearest$", "-test.v"], {"REVELA_CHUNKS": str(chunks), "REVELA_PYTHON": python}, cwd=ROOT / "bm25")
    same = re.search(rf"{re.escape(str(chunks))}: (.*)", printed)
    print(f"<!-- {count:,} chunks: {same.group(1) if same else 'not compared'} -->", flush=True)


def row(cells):
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


if __name__ == "__main__":
    main()
