#!/usr/bin/env python3
"""Times the training step on a GPU at the sizes that the paper trains, and writes benchmarks/DATE-cuda.md.

usage: bench_cuda.py [--device cuda] [--steps 40] [--shape NAME]... [--output FILE]

Two random decoders of one size learn by LoRA of rank 256 in bf16, 16 chunks a group. The paper's run does 8 chunks a
second on an A100 with two models of 1B.
"""

import argparse
import datetime
import json
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SHAPES = {"smol": "SmolLM2-135M", "qwen": "Qwen2.5-0.5B", "llama1b": "Llama-3.2-1B"}
PAPER = 8  # chunks a second, an A100


def main(arguments):
    options = parse(arguments)
    try:
        doctor = json.loads(revela("doctor", "--json"))
        rows = [row(shape, options) for shape in options.shape or SHAPES]
    except subprocess.CalledProcessError as error:
        print(f"bench_cuda.py: {error.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return 1
    text = report(doctor, options, rows)
    output = pathlib.Path(options.output or unused(ROOT / "benchmarks" / f"{datetime.date.today()}-cuda"))
    output.write_text(text, encoding="utf-8")
    print(text)
    print(f"written: {output}")
    return 0


def unused(stem):
    """Returns a file that is not there yet: a measurement is never overwritten."""
    name, number = f"{stem}.md", 1
    while pathlib.Path(name).exists():
        number += 1
        name = f"{stem}-{number}.md"
    return name


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda", help="cuda or cuda:N")
    parser.add_argument("--steps", type=int, default=40, help="steps of each size; the later half counts")
    parser.add_argument("--shape", action="append", help="a size of `revela bench step` (default: the three of the table)")
    parser.add_argument("--output", help="file to write")
    return parser.parse_args(arguments)


def revela(*arguments):
    done = subprocess.run([ROOT / "bin" / "revela", *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def command(shape, options):
    return ["bench", "step", "--device", options.device, "--shape", shape, "--group-size", "16", "--dtype", "bf16",
            "--lora-r", "256", "--steps", str(options.steps), "--breakdown"]


def row(shape, options):
    print(f"{shape} …", file=sys.stderr)
    return shape, json.loads(revela(*command(shape, options)).splitlines()[-1])


def report(doctor, options, rows):
    """Returns the page: what was run on what, and a line for each size."""
    device = rows[0][1]["device"]
    where = doctor["cpu"]
    if device.startswith("cuda:"):
        gpu = doctor["gpus"][int(device.removeprefix("cuda:"))]
        where = f"{gpu['name']}, {gpu['memory'] / 1e9:.0f} GB, driver {doctor['nvidia_driver']}, CUDA {doctor['cuda_version']}"
    lines = [
        f"# Training step on {device}, {datetime.date.today()}",
        "",
        f"{where}; revela {doctor['version']}, {doctor['go']}, libtorch {doctor['libtorch']}. Group 16, chunks of up to 157 tokens, LoRA of rank 256 on",
        "both models, bf16, no activation checkpointing; two random decoders of one size. A step's time is the median of the later",
        f"half of {options.steps} steps, no two of one length: until then libtorch and cuBLAS load kernels. FLOPs are those of the products",
        "that a step cannot do without. Their share is of the fastest product of two large matrices in bf16, measured beside one batch",
        "that is computed again and again; its kernels are the table below.",
        "",
        "| size | step | chunks/s | beside the paper's 8 | same batch again | TFLOP of it | TFLOP/s | share of the measured peak | peak device memory |",
        "|---|---|---|---|---|---|---|---|---|",
        *(line(shape, result) for shape, result in rows),
        "",
        "| size | gemm | attention | loss | optimizer | other | the GPU waits |",
        "|---|---|---|---|---|---|---|",
        *(shares(shape, result["breakdown"]) for shape, result in rows),
        "",
        "```sh",
        *(" ".join(["bin/revela", *command(shape, options)]) for shape, _ in rows),
        "```",
        "",
    ]
    return "\n".join(lines)


def line(shape, result):
    work = result["breakdown"]
    seconds = result["seconds"]
    step = statistics.median(seconds[len(seconds) // 2:])
    chunks = result["chunks_per_s"] * result["median_step_s"] / step
    cells = [
        SHAPES.get(shape, shape),
        f"{1000 * step:.1f} ms",
        f"{chunks:.1f}",
        f"{chunks / PAPER:.1f} ×",
        f"{1000 * work['seconds']:.1f} ms",
        f"{work['flops'] / 1e12:.2f}",
        f"{work['flop_rate'] / 1e12:.1f}",
        f"{100 * work['peak_share']:.0f} % of {work['gemm_rate'] / 1e12:.0f} TFLOP/s",
        f"{result['peak_device_mib'] / 1024:.1f} GiB",
    ]
    return "| " + " | ".join(cells) + " |"


def shares(shape, work):
    parts = ["gemm", "attention", "loss", "optimizer", "other", "between"]
    return "| " + " | ".join([SHAPES.get(shape, shape), *(f"{100 * work[part]:.1f} %" for part in parts)]) + " |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
