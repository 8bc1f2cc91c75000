import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path

import bench
import bench_guard


class Guard(unittest.TestCase):
    baseline = {
        "speed": {"value": 5.0, "kind": "speed", "tolerance": 0.2},
        "memory": {"value": 0.2, "kind": "memory", "tolerance": 0.1},
    }

    def test_within(self):
        lines, fell = bench_guard.compare(self.baseline, {"speed": ("speed", 4.1), "memory": ("memory", 0.21)})
        self.assertFalse(fell)
        self.assertEqual(lines[1], "bench-guard: speed: 4.100, at least 4.000 expected (baseline 5.000)")

    def test_slower(self):
        lines, fell = bench_guard.compare(self.baseline, {"speed": ("speed", 3.9), "memory": ("memory", 0.2)})
        self.assertTrue(fell)
        self.assertEqual(lines[1], "bench-guard: speed: 3.900, at least 4.000 expected (baseline 5.000): FELL")

    def test_more_memory(self):
        lines, fell = bench_guard.compare(self.baseline, {"speed": ("speed", 9.0), "memory": ("memory", 0.23)})
        self.assertTrue(fell)
        self.assertIn("memory: 0.230, at most 0.220 expected (baseline 0.200): FELL", lines[0])

    def test_not_measured(self):
        lines, fell = bench_guard.compare(self.baseline, {"speed": ("speed", 5.0)})
        self.assertFalse(fell)
        self.assertIn("memory: not measured in this run", lines[0])
        self.assertTrue(bench_guard.compare(self.baseline, {})[1])

    def test_baseline_is_kept_and_extended(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "baseline.json")
            bench_guard.write_baseline(path, {"a": ("speed", 2.0)})
            bench_guard.write_baseline(path, {"b": ("memory", 0.5)})
            kept = json.loads(path.read_text())
            self.assertEqual({name: kept[name]["value"] for name in kept}, {"a": 2.0, "b": 0.5})
            self.assertEqual(kept["b"]["tolerance"], bench_guard.TOLERANCE["memory"])


class File(unittest.TestCase):
    def test_never_overwritten(self):
        with tempfile.TemporaryDirectory() as folder:
            names = []
            for _ in range(3):
                path = bench.unused(Path(folder), "2026-01-02-bench")
                path.write_text("")
                names.append(path.name)
            self.assertEqual(names, ["2026-01-02-bench.md", "2026-01-02-bench-2.md", "2026-01-02-bench-3.md"])

    def test_table(self):
        run = bench.Bench(guard=False)
        with contextlib.redirect_stdout(io.StringIO()):
            run.table(("a", "b"), [["x", 1234.5], ["y", 0.1234]])
        self.assertEqual(run.lines, ["", "| a | b |", "|---|--:|", "| x | 1,234 |", "| y | 0.123 |", ""])


if __name__ == "__main__":
    unittest.main()
