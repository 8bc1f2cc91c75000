"""The regression guard of benchmarks: ratios, which hold on any machine of a kind, against a stored baseline."""

import json
import os

# How far a ratio may lie on the worse side of its baseline. Times on a busy machine spread by a tenth and more even as
# ratios; memory hardly at all.
TOLERANCE = {"speed": 0.2, "memory": 0.1}


def read_baseline(path):
    return json.loads(path.read_text(encoding="utf-8"))


def write_baseline(path, ratios):
    """Writes the ratios with their tolerance, beside and renamed. Ratios that this run lacks are kept."""
    kept = read_baseline(path) if path.exists() else {}
    for name, (kind, value) in ratios.items():
        kept[name] = {"value": round(value, 4), "kind": kind, "tolerance": TOLERANCE[kind]}
    beside = path.with_suffix(".tmp")
    beside.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(beside, path)


def compare(baseline, ratios):
    """Returns a line for every ratio of the baseline, and whether one is worse than its tolerance allows."""
    lines, fell = [], False
    for name, base in sorted(baseline.items()):
        if name not in ratios:
            lines.append(f"bench-guard: {name}: not measured in this run")
            continue
        value = ratios[name][1]
        lower_is_better = base["kind"] == "memory"
        limit = base["value"] * (1 + base["tolerance"] if lower_is_better else 1 - base["tolerance"])
        bad = value > limit if lower_is_better else value < limit
        fell = fell or bad
        bound = "at most" if lower_is_better else "at least"
        lines.append(f"bench-guard: {name}: {value:.3f}, {bound} {limit:.3f} expected (baseline {base['value']:.3f})"
                     f"{': FELL' if bad else ''}")
    if not any(name in ratios for name in baseline):
        lines.append("bench-guard: no ratio of the baseline was measured")
        fell = True
    return lines, fell
