"""The files that `revela evaluate` writes for mteb, read and recomputed by mteb itself.

Run by pytest; skipped where mteb is not installed (requirements-mteb.txt says how) or no folder is named, but failed under
CI, which runs it apart from the other tests:
  REVELA_EVALUATION_DIR  the output folder of `revela evaluate`; several with colons between
"""

import json
import os
import pathlib

import pytest

mteb = pytest.importorskip("mteb", reason="mteb is not installed here: see requirements-mteb.txt")

from mteb._evaluators.retrieval_metrics import calculate_retrieval_scores, make_score_dict  # noqa: E402
from mteb.cache import ResultCache  # noqa: E402
from mteb.models import ModelMeta  # noqa: E402
from mteb.results import TaskResult  # noqa: E402

K = [1, 3, 5, 10, 20, 100, 1000]


@pytest.fixture(scope="module", params=os.environ.get("REVELA_EVALUATION_DIR", "").split(":"))
def folder(request):
    if not request.param:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("REVELA_EVALUATION_DIR names no folder")
    return pathlib.Path(request.param)


def files(folder):
    found = [p for p in (folder / "mteb").glob("results/*/*/*.json") if p.name != "model_meta.json"]
    assert found, "no results of tasks"
    return found


def test_loaded_by_mteb(folder):
    results = ResultCache(cache_path=folder / "mteb").load_results(include_remote=False, require_model_meta=True)
    loaded = {(m.model_name.replace("/", "__"), m.model_revision, t.task_name): t for m in results.model_results for t in m.task_results}
    assert len(loaded) == len(files(folder))
    for path in files(folder):
        task = loaded[path.parent.parent.name, path.parent.name, path.stem]
        raw = json.loads(path.read_text())
        scores = [entry["main_score"] for entries in raw["scores"].values() for entry in entries]
        assert task.get_score() == pytest.approx(sum(scores) / len(scores))
        assert TaskResult.from_disk(path, load_historic_data=False).task_name == path.stem
    # Without a version, since mteb did not measure it, a result still counts where it is the only one of its model.
    table = results.join_revisions().to_dataframe(format="long")
    assert len(table) == len(files(folder))


def test_model_meta_is_valid(folder):
    for path in (folder / "mteb").glob("results/*/*/model_meta.json"):
        meta = ModelMeta.model_validate_json_resolved(path.read_text())
        assert meta.model_name_as_path() == path.parent.parent.name
        assert meta.revision == path.parent.name
        if meta.model_type == ["dense"]:
            assert meta.n_parameters > 0 and meta.embed_dim > 0
            assert meta.memory_usage_mb in {meta.n_parameters * size // 2**20 for size in (2, 4)}


def test_scores_equal_mteb(folder):
    """mteb computes the same from the run and the judgements that lie beside."""
    compared = 0
    for path in files(folder):
        for entries in json.loads(path.read_text())["scores"].values():
            name = folder / "runs" / collection(folder, path.stem)
            theirs = recomputed(name.with_suffix(".qrels"), name.with_suffix(".trec"))
            ours = {k: v for k, v in entries[0].items() if isinstance(v, float)}
            assert ours.keys() - {"main_score"} <= theirs.keys()
            for key in theirs.keys() & ours.keys():
                assert ours[key] == pytest.approx(theirs[key], abs=2e-5), (path.stem, key)
                compared += 1
    assert compared > 100


def collection(folder, task):
    """A collection has its task's name, or is the only one."""
    runs = sorted(p.stem for p in (folder / "runs").glob("*.trec"))
    return task if task in runs else runs[0]


def recomputed(qrels_path, run_path):
    qrels, run = {}, {}
    for line in qrels_path.read_text().splitlines():
        query, _, document, level = line.split()
        qrels.setdefault(query, {})[document] = int(level)
    for line in run_path.read_text().splitlines():
        query, _, document, _, score, _ = line.split()
        run.setdefault(query, {})[document] = float(score)
    r = calculate_retrieval_scores(run, qrels, K)
    return make_score_dict(ndcg=r.ndcg, _map=r.map, recall=r.recall, precision=r.precision, mrr=r.mrr, naucs=r.naucs,
                           naucs_mrr=r.naucs_mrr, hit_rate=r.hit_rate, task_scores={})
