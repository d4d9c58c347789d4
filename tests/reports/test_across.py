from __future__ import annotations

import itertools
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from scipy.stats import wilcoxon

from fillbench.errors import FillbenchError
from fillbench.reports.across import compare, sentence, signed_rank, write
from fillbench.reports.records import Run

from .conftest import FakeRun

FIVE = {"none": 0.4, "oversample": 0.5, "smote": 0.6, "ddpm": 0.7, "full": 0.9}


@pytest.fixture
def runs(tmp_path):
    """Writes a run per data set: runs({arm: recall, …}, …); a recall is a number, two by seed, or None: unfinished."""
    count = itertools.count()

    def make(*tables, **dataset):
        return [one(tmp_path / f"run{next(count)}", table, dataset) for table in tables]

    def one(path, table, dataset):
        run = FakeRun(path, seeds=(0, 1), arms=[(arm, 0.5, ()) for arm in table])
        run.plan()
        plan = json.loads((path / "run.json").read_text())
        run.plan(dataset=plan["dataset"] | {"name": f"set-{path.name}", "fingerprint": path.name} | dataset)
        for arm, recall in table.items():
            for seed, value in enumerate(np.broadcast_to(recall, 2) if recall is not None else [0.5]):
                run.cell(arm, seed, float(value))
        shutil.rmtree(path / "predictions")  # so the recalls are those of the records, to the last digit
        return path

    return make


def compared(paths):
    return compare([Run.read(path) for path in paths])


def test_average_ranks_give_equals_the_mean_of_their_places(runs):
    found = compared(runs({"a": 0.9, "b": 0.5, "c": 0.5}, {"a": 0.2, "b": 0.3, "c": 0.1}))
    assert found.ranks.to_dict() == {"a": 1.5, "b": 1.75, "c": 2.75}
    assert list(found.ranks.index) == ["a", "b", "c"], "best first"
    assert found.recall.loc["a"].tolist() == [0.9, 0.2]


def test_the_order_of_the_seeds_breaks_no_tie(runs):
    found = compared(runs(*[{"a": (0.1, 0.7), "b": (0.7, 0.1), "c": 0.4}] * 2))
    assert found.ranks.tolist() == [2, 2, 2]


def test_it_agrees_with_the_example_of_the_paper(runs):
    """Demšar 2006, table 6: C4.5 with and without two parameters tuned, on 14 data sets."""
    table = """
    0.763 0.768 0.771  0.798
    0.599 0.591 0.590  0.569
    0.954 0.971 0.968  0.967
    0.628 0.661 0.654  0.657
    0.882 0.888 0.886  0.898
    0.936 0.931 0.916  0.931
    0.661 0.668 0.609  0.685
    0.583 0.583 0.563  0.625
    0.775 0.838 0.866  0.875
    1.000 1.000 1.000  1.000
    0.940 0.962 0.965  0.962
    0.619 0.666 0.614  0.669
    0.972 0.981 0.9751 0.975
    0.957 0.978 0.946  0.970
    """
    arms = ("C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf")
    found = compared(runs(*(dict(zip(arms, map(float, row.split()), strict=True)) for row in table.split("\n")[1:-1])))
    assert [round(found.ranks[arm], 3) for arm in arms] == [3.143, 2.0, 2.893, 1.964]
    assert found.chi2 == pytest.approx(10.228, abs=0.001), "the paper's 9.28, corrected for ties"
    assert found.critical_difference == pytest.approx(1.25, abs=0.005)
    assert not (found.nemenyi < 0.05).any(axis=None), "1.18 ranks at most, as the paper says"


@pytest.mark.parametrize("n", [3, 6, 7, 9])
def test_wilcoxon_is_exact_where_gaps_are_equal_or_zero(n):
    rng = np.random.default_rng(n)
    for _ in range(20):
        gaps = rng.integers(-1, 6, n) / 10
        assert signed_rank(gaps) == pytest.approx(wilcoxon(gaps, zero_method="zsplit", correction=False).pvalue)
    assert signed_rank(np.zeros(n)) == 1


def test_equal_gaps_stay_equal_whatever_the_last_bits_say(runs):
    levels = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    found = compared(
        runs(*({"a": level + 0.1, "b": level, "c": level} for level in levels[1:]), {"a": 0, "b": 0.1, "c": 0.1})
    )
    one_of_seven = 2 * (1 + 7) / 2**7
    assert found.wilcoxon.at["a", "b"] == pytest.approx(3 * one_of_seven)


def test_wilcoxon_is_corrected_by_holm(runs):
    found = compared(runs(*({**FIVE, "smote": 0.6 if i else 0.3} for i in range(8))))
    always, once = 2 / 2**8, 4 / 2**8
    assert found.wilcoxon.loc["ddpm", "none"] == pytest.approx(6 * always)
    assert found.wilcoxon.loc["smote", "oversample"] >= 2 * once


def test_clear_ranks_are_told_apart_and_close_ones_are_not(runs):
    found = compared(runs(*[FIVE] * 8))
    text = sentence(found)
    assert found.differ
    assert text.startswith(
        "Over 8 data sets the 4 arms differ in minority recall (Friedman's test: χ² = 24.0, p < 0.001)"
    )
    assert "ddpm has the best average rank, 1.00; Nemenyi's test puts it above oversample and none" in text
    assert "but cannot tell it from smote." in text


def test_without_friedman_no_pair_counts(runs, tmp_path):
    text = write(runs(*({"a": 0.1 * i, "b": 0.1 * (4 - i), "c": 0.2, "d": 0.15} for i in range(5))), tmp_path / "out")
    assert "cannot be told apart by minority recall" in text
    assert "which may be chance" in text
    page = (tmp_path / "out" / "comparison.md").read_text()
    assert "**" not in page
    assert "for the record" in page


def test_arms_that_are_equal_everywhere_share_the_rank(runs, tmp_path):
    text = write(runs(*[{"a": 0.5, "b": 0.5, "c": 0.5}] * 4), tmp_path / "out")
    assert "p = 1.000" in text
    assert "a, b and c share the best average rank, 2.00" in text


def test_two_data_sets_are_ranked_but_not_tested(runs, tmp_path):
    text = write(runs(FIVE, FIVE), tmp_path / "out")
    assert text.startswith("2 data sets are too few for Friedman's test, which takes 3 or more")
    assert "p =" not in text


@pytest.mark.parametrize(("sets", "enough"), [(5, True), (7, True), (8, False)])
def test_it_says_when_wilcoxon_cannot_find_anything(runs, tmp_path, sets, enough):
    write(runs(*[FIVE] * sets), tmp_path / "out")
    page = (tmp_path / "out" / "comparison.md").read_text()
    assert ("Wilcoxon's test cannot come below 0.05 at all: for 6 pairs that takes 8 data sets" in page) == enough


def test_what_is_not_finished_everywhere_is_left_out_with_the_reason(runs, tmp_path):
    paths = runs(FIVE | {"vae": 0.5}, FIVE | {"mixup": 0.5, "vae": None})
    found = compared(paths)
    assert set(found.ranks.index) == {"none", "oversample", "smote", "ddpm"}
    assert found.left_out == {
        "full": "the reference that keeps every real image",
        "vae": f"1 of 2 seeds finished in {paths[1]}",
        "mixup": f"not part of {paths[0]}",
    }
    write(paths, tmp_path / "out")
    assert "**vae**: 1 of 2 seeds" in (tmp_path / "out" / "comparison.md").read_text()


def test_fewer_than_three_common_arms_are_an_error_that_names_the_reasons(runs):
    paths = runs({"none": 0.4, "smote": 0.5, "vae": 0.4}, {"none": 0.4, "smote": 0.5})
    with pytest.raises(FillbenchError, match=r"3 arms or more .* only none and smote \(vae: not part of .*run1\)"):
        compared(paths)


def test_one_run_is_no_comparison(runs):
    with pytest.raises(FillbenchError, match="run0 alone is no comparison: give two"):
        compared(runs(FIVE))


def test_the_same_data_set_and_imbalance_twice_is_an_error_that_names_both(runs):
    paths = runs(FIVE, FIVE, fingerprint="same")
    with pytest.raises(FillbenchError, match=r"run0 and .*run1 are runs of the same data set"):
        compared(paths)
    with pytest.raises(FillbenchError, match=r"run0 and .*run0 are runs of the same"):
        compared([paths[0], paths[0]])


@pytest.mark.parametrize(
    "imbalance", [{"keep": 0.2}, {"profile": "longtail", "keep": None}, {"imbalance_ratio": 50}], ids=str
)
def test_another_imbalance_is_another_data_set_but_not_an_independent_one(runs, tmp_path, imbalance):
    paths = runs(FIVE, FIVE, name="digits", fingerprint="same")
    plan = json.loads((paths[1] / "run.json").read_text())
    (paths[1] / "run.json").write_text(json.dumps(plan | {"config": plan["config"] | imbalance}))
    write(paths, tmp_path / "out")
    table = pd.read_csv(tmp_path / "out" / "comparison.csv")
    assert list(table)[2:] == [f"digits ({path})" for path in paths], "told apart by the folder"
    assert "p-values too small" in (tmp_path / "out" / "comparison.md").read_text()


def test_the_files_hold_the_ranks_and_a_second_time_replaces_them(runs, tmp_path):
    paths = runs(*[FIVE] * 3)
    for _ in range(2):
        text = write(paths, tmp_path / "out")
    out = tmp_path / "out"
    assert sorted(file.name for file in out.iterdir()) == [
        "comparison.csv",
        "comparison.md",
        "critical-difference.png",
    ]
    table = pd.read_csv(out / "comparison.csv")
    assert list(table) == ["arm", "average_rank", "set-run0", "set-run1", "set-run2"]
    assert table.iloc[0].tolist() == ["ddpm", 1.0, 0.7, 0.7, 0.7]
    page = (out / "comparison.md").read_text()
    assert text in page
    assert "| 4 | none (reference) | 4.00 | 0.400 | 0.400 | 0.400 |" in page
    assert (out / "critical-difference.png").read_bytes().startswith(b"\x89PNG")


def test_a_folder_that_cannot_be_written_is_told(runs, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FillbenchError, match=r"file' cannot be written .* choose another --out"):
        write(runs(FIVE, FIVE), tmp_path / "file")
