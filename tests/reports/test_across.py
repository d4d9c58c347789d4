from __future__ import annotations

import itertools
import json

import numpy as np
import pandas as pd
import pytest

from fillbench.errors import FillbenchError
from fillbench.reports.across import compare, sentence, write
from fillbench.reports.leaderboard import leaderboard
from fillbench.reports.records import Run
from fillbench.tests.predicted import predictions, written

from ..fake_run import FakeRun

FOUR = {"none": 0.4, "oversample": 0.5, "smote": 0.5, "ddpm": 0.7, "full": 0.9}


@pytest.fixture
def runs(tmp_path):
    """Writes a run per data set, without predictions: runs({arm: level, …}, …); a level, in knowing and deciding alike,
    is a number, two by seed, or None: unfinished."""
    count = itertools.count()

    def make(*tables, **dataset):
        return [one(tmp_path / f"run{next(count)}", table, dataset) for table in tables]

    def one(path, table, dataset):
        run = FakeRun(path, seeds=(0, 1), arms=[(arm, 0.5, ()) for arm in table])
        run.plan()
        plan = json.loads((path / "run.json").read_text())
        run.plan(dataset=plan["dataset"] | {"name": f"set-{path.name}", "fingerprint": path.name} | dataset)
        for arm, levels in table.items():
            for seed, level in enumerate(np.broadcast_to(levels, 2) if levels is not None else [0.5]):
                run.cell(arm, seed)
                scores = {"rare_ap": float(level), "balanced_accuracy": float(level)}
                run.change(arm, seed, lambda record, scores=scores: record["metrics"].update(scores))
        for file in (path / "predictions").iterdir():
            file.unlink()
        return path

    return make


def drawn(sets, **gains):
    """Levels on so many data sets: as FOUR, with `gains`, give or take 0.02 by arm and data set."""
    rng = np.random.default_rng(0)
    return [
        {arm: float(level + gains.get(arm, 0) + rng.normal(0, 0.02)) for arm, level in FOUR.items()}
        for _ in range(sets)
    ]


def compared(paths):
    return compare([Run.read(path) for path in paths])


def test_the_sentence_says_what_is_shown_beside_nothing_and_beside_every_control(runs):
    text = sentence(compared(runs(*drawn(6))))
    assert text == (
        "Over 6 data sets, beside doing nothing (none), helps: ddpm and smote. "
        "Beside every control (oversample), helps: ddpm; no difference shown: smote."
    )


def test_it_says_so_where_no_arm_does_more_than_what_costs_nothing(runs):
    text = sentence(compared(runs(*drawn(6, ddpm=-0.2))))
    assert "No arm is shown to do more than what costs nothing (oversample), no difference shown" in text


def test_an_arm_may_hurt(runs):
    text = sentence(compared(runs(*drawn(7, smote=-0.3))))
    assert "helps: ddpm; hurts: smote." in text


def test_five_data_sets_describe_and_are_not_tested(runs, tmp_path):
    text = write(runs(*[FOUR] * 5), tmp_path / "out")
    assert text.startswith("5 data sets describe; it takes 6 to test. ddpm has the largest mean difference to none")
    assert "+0.300, which may be chance" in text
    table = pd.read_csv(tmp_path / "out" / "comparison.csv")
    assert table[["p", "verdict"]].isna().all(axis=None)
    page = (tmp_path / "out" / "comparison.md").read_text()
    assert "With fewer than 6 data sets nothing is tested" in page
    assert "p = " not in page
    assert "p < " not in page


def test_a_data_set_counts_once_whatever_its_seeds_say(runs):
    found = compared(runs(*[FOUR | {"smote": (0.1, 0.9)}] * 6))
    assert found.against["none"]["smote"]["rare_ap"].mean == pytest.approx(0.1)


def test_average_ranks_give_equals_the_mean_of_their_places(runs):
    found = compared(runs({"none": 0.9, "b": 0.5, "c": 0.5}, {"none": 0.2, "b": 0.3, "c": (0.0, 0.2)}))
    assert found.ranks.to_dict() == {"none": 1.5, "b": 1.75, "c": 2.75}


def test_a_control_that_is_not_finished_everywhere_leaves_no_verdict_against_the_controls(runs, tmp_path):
    text = write(runs(*drawn(5), FOUR | {"oversample": None}), tmp_path / "out")
    assert text.endswith("Nothing is said beside the controls: oversample not finished in every run.")
    assert set(pd.read_csv(tmp_path / "out" / "comparison.csv")["base"]) == {"none"}


def test_one_arm_and_no_control_is_enough(runs, tmp_path):
    text = write(runs(*[{"none": 0.4, "smote": 0.5}] * 6), tmp_path / "out")
    assert text.startswith("Over 6 data sets, beside doing nothing (none), helps: smote.")
    assert text.endswith("Nothing is said beside the controls: none is part of every run.")


def test_what_is_not_finished_everywhere_is_left_out_with_the_reason(runs, tmp_path):
    paths = runs(FOUR | {"vae": 0.5}, FOUR | {"mixup": 0.5, "vae": None})
    found = compared(paths)
    assert set(found.ranks.index) == {"none", "oversample", "smote", "ddpm"}
    assert found.left_out == {
        "full": "the reference that keeps every real image",
        "vae": f"1 of 2 seeds finished in {paths[1]}",
        "mixup": f"not part of {paths[0]}",
    }
    write(paths, tmp_path / "out")
    assert "**vae**: 1 of 2 seeds" in (tmp_path / "out" / "comparison.md").read_text()


@pytest.mark.parametrize("other", [{"none": 0.4}, {"none": None, "smote": 0.5}], ids=["no arm", "no floor"])
def test_without_the_floor_and_another_arm_there_is_an_error_that_names_the_reasons(runs, other):
    with pytest.raises(FillbenchError, match=r"takes none and another arm, .* only \w+ \(\w+: .*run1"):
        compared(runs({"none": 0.4, "smote": 0.5}, other))


def test_one_run_is_no_comparison(runs):
    with pytest.raises(FillbenchError, match="run0 alone is no comparison: give two"):
        compared(runs(FOUR))


def test_the_same_data_set_and_imbalance_twice_is_an_error_that_names_both(runs):
    paths = runs(FOUR, FOUR, fingerprint="same")
    with pytest.raises(FillbenchError, match=r"run0 and .*run1 are runs of the same data set"):
        compared(paths)
    with pytest.raises(FillbenchError, match=r"run0 and .*run0 are runs of the same"):
        compared([paths[0], paths[0]])


@pytest.mark.parametrize(
    "imbalance", [{"keep": 0.2}, {"profile": "longtail", "keep": None}, {"imbalance_ratio": 50}], ids=str
)
def test_another_imbalance_is_another_data_set_but_not_an_independent_one(runs, tmp_path, imbalance):
    paths = runs(FOUR, FOUR, name="digits", fingerprint="same")
    plan = json.loads((paths[1] / "run.json").read_text())
    (paths[1] / "run.json").write_text(json.dumps(plan | {"config": plan["config"] | imbalance}))
    write(paths, tmp_path / "out")
    assert compared(paths).data_sets == [f"digits ({path})" for path in paths], "told apart by the folder"
    assert "p-values too small" in (tmp_path / "out" / "comparison.md").read_text()


def test_what_the_audits_found_in_any_run_stands_beside_the_arm(runs):
    paths = runs(*[FOUR] * 6)
    for file in (paths[3] / "cells").glob("ddpm*"):
        record = json.loads(file.read_text())
        record["audit"]["flags"] = ["copies"]
        file.write_text(json.dumps(record))
    assert "helps: ddpm (flagged: copies) and smote" in sentence(compared(paths))


def test_the_files_hold_every_arm_estimand_and_base_and_a_second_time_replaces_them(runs, tmp_path):
    paths = runs(*drawn(6))
    for _ in range(2):
        text = write(paths, tmp_path / "out")
    out = tmp_path / "out"
    assert sorted(file.name for file in out.iterdir()) == [
        "comparison.csv",
        "comparison.md",
        "critical-difference.png",
        "forest.png",
    ]
    table = pd.read_csv(out / "comparison.csv").set_index(["arm", "estimand", "base"])
    assert len(table) == 3 * 2 + 2 * 2, "a control has no other control to be held against"
    row = table.loc["ddpm", "knowing", "none"]
    assert 0.25 < row["ci_low"] < row["mean"] < row["ci_high"] < 0.35
    assert row["p"] < 0.001
    assert row[["data_sets", "verdict", "average_rank"]].tolist() == [6, "helps", 1]
    assert np.isnan(row["random_mean"]), "there are no predictions"
    assert text in (out / "comparison.md").read_text()
    for name in ("forest.png", "critical-difference.png"):
        assert (out / name).read_bytes().startswith(b"\x89PNG")


def test_intervals_by_data_set_are_those_of_each_leaderboard_and_give_the_random_effects_mean(tmp_path):
    paths = []
    for spot in range(3):
        rng = np.random.default_rng(spot)
        arms = {"none": 2, "oversample": 2, "mixup": 2, "smote": 2, "vae": 2.5 + spot}
        drawn = {name: predictions(rng, 3, margin) for name, margin in arms.items()}
        run = written(lambda spot=spot, **options: FakeRun(tmp_path / f"run{spot}", **options), drawn)
        content = json.loads((run.path / "run.json").read_text())
        content["dataset"]["fingerprint"] = str(spot)
        (run.path / "run.json").write_text(json.dumps(content))
        paths.append(run.path)
    found = compared(paths)
    gap, half = found.forest["vae"]
    for spot, path in enumerate(paths):
        row = leaderboard(Run.read(path)).set_index("arm").loc["vae"]
        bounds = [row[f"vs_none_knowing_{part}"] for part in ("mean", "ci_low", "ci_high")]
        assert [gap[spot], gap[spot] - half[spot], gap[spot] + half[spot]] == pytest.approx(bounds, abs=1e-6)
    effect = found.effects["none"]["vae"]["rare_ap"]
    assert gap.min() < effect.mean < gap.max()
    assert effect.low < effect.mean < effect.high
    assert found.effects["controls"]["vae"]["rare_ap"].tau2 > 0


def test_a_folder_that_cannot_be_written_is_told(runs, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FillbenchError, match=r"file' cannot be written .* choose another --out"):
        write(runs(FOUR, FOUR), tmp_path / "file")


def test_a_control_that_no_run_could_have_is_none(runs):
    paths = runs(*drawn(6, ddpm=0.0))
    for path in paths:
        plan = json.loads((path / "run.json").read_text())
        plan["arms"].append(plan["arms"][1] | {"name": "mixup"})
        (path / "run.json").write_text(json.dumps(plan))
        for seed in (0, 1):
            record = json.loads((path / "cells" / f"none-seed{seed}.json").read_text())
            record |= {"arm": "mixup", "status": "skipped", "reason": "no linear layer", "traceback": None}
            (path / "cells" / f"mixup-seed{seed}.json").write_text(json.dumps(record))
    found = compared(paths)
    assert found.controls == ["oversample"]
    assert set(found.against["controls"]) == {"smote", "ddpm"}
