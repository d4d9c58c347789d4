"""What a sweep says: from where on an arm beats every control, or hurts."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fillbench import FillbenchError
from fillbench.records import SCHEMA
from fillbench.reports.sweep import write
from fillbench.reports.turning import first_above, turn
from fillbench.tests.predicted import predictions, written

heights = st.floats(-1, 1, allow_subnormal=False)


@given(st.lists(st.tuples(heights, st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=8))
def test_a_turning_point_lies_within_its_interval_and_among_the_values(points):
    mean, below, above = np.array(points).T
    x = np.arange(len(mean), dtype=float)
    found = turn(x, mean, mean - below, mean + above)
    known = [value for value in (found.earliest, found.mean, found.surest) if not np.isnan(value)]
    assert known == sorted(known)
    assert all(0 <= value <= x[-1] for value in known)
    assert not np.isnan(found.earliest) or np.isnan(found.mean)
    assert not np.isnan(found.mean) or np.isnan(found.surest)


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        ([-1, 1, 1], 0.5),
        ([-1, 0, 1], 1.0),
        ([0, 0, 2], 1.0),
        ([1, -1, -1], 0.0),
        ([-3, 1, -1], 0.75),
        ([-1, 0, 0], np.nan),
    ],
)
def test_a_curve_is_a_straight_line_between_the_values(y, expected):
    np.testing.assert_equal(first_above(np.arange(3.0), np.array(y, float)), expected)


GAINS = {"0.25": 0.0, "0.5": 0.5, "1.0": 4.0}
HARMS = {"0.25": 0.0, "0.5": -0.5, "1.0": -2.5}


def swept(fake, tmp_path, seeds=5, over=None, pairs=False):
    """A sweep in which the images of smote are worth the more the more there are, and those of vae do harm."""
    points = []
    for value in GAINS:
        rng = np.random.default_rng(1)
        arms = {
            name: predictions(rng, seeds, margin)
            for name, margin in (
                ("none", 1.5),
                ("full", 6.0),
                ("oversample", 1.5),
                ("mixup", 1.4),
                ("smote", 1.5 + GAINS[value]),
                ("vae", 1.5 + HARMS[value]),
            )
        }
        written(fake, arms, folder=f"points/{value}")
        points.append({"folder": f"points/{value}", "at": {"fill": value}})
    info = {
        "schema": SCHEMA,
        "command": "benchmark sweep --generators smote,vae --over fill=0,0.25,0.5,1.0",
        "over": {"fill": ["0.0", *GAINS]},
        "numbers": ["fill"],
        "pairs": False,
        "points": points,
        "unfilled": [{"fill": "0.0"}],
    }
    (tmp_path / "sweep.json").write_text(json.dumps(info))
    return tmp_path


@pytest.fixture
def folder(fake, tmp_path):
    return swept(fake, tmp_path)


def no_figures(draw):
    return {}


def test_it_says_from_where_on_an_arm_beats_every_control_or_hurts(folder):
    table = write(folder, draw=no_figures)
    turns = pd.read_csv(folder / "turning-points.csv").set_index(["arm", "estimand", "change"])
    beats, hurts = (turns.xs(change, level="change") for change in ("beats every control", "hurts"))
    assert 0.25 <= beats.loc[("smote", "knowing"), "from_low"] <= beats.loc[("smote", "knowing"), "from"]
    assert 0.25 < beats.loc[("smote", "knowing"), "from_high"] < 1
    assert beats.loc["vae", "from_high"].isna().all()
    assert 0.25 < hurts.loc[("vae", "knowing"), "from_high"] < 1
    assert hurts.loc["smote", "from_high"].isna().all()
    told = (folder / "sweep.md").read_text()
    of_smote, of_vae = (
        next(line for line in told.splitlines() if line.startswith(f"- {arm} ")) for arm in ("smote", "vae")
    )
    assert "smote beats every control in knowing from fill 0." in of_smote
    assert of_smote.endswith("is not shown to hurt.")
    assert of_vae.startswith("- vae is not shown to beat every control; hurts in knowing from fill 0.")
    assert set(table["fill"]) == {0.0, *map(float, GAINS)}


def test_without_filling_an_arm_is_none(folder):
    table = write(folder, draw=no_figures).set_index(["fill", "arm"])
    for arm in ("smote", "vae", "oversample"):
        here = table.loc[(0.0, arm)]
        assert here["rare_ap_mean"] == table.loc[(0.25, "none"), "rare_ap_mean"]
        assert here[["vs_none_knowing_mean", "vs_none_deciding_ci_high"]].tolist() == [0, 0]
        assert np.isnan(here["vs_controls_knowing_mean"])
    assert table.loc[(0.0, "full"), "rare_ap_mean"] == table.loc[(1.0, "full"), "rare_ap_mean"]


def test_every_figure_is_in_the_page_and_beside_it(folder):
    write(folder)
    names = {path.name for path in (folder / "figures").iterdir()}
    shown = ("against-none", "against-every-control", "the-controls-against-none")
    assert names == {f"{metric},{which}.png" for metric in ("knowing", "deciding") for which in shown}
    page, told = (folder / "sweep.html").read_text(), (folder / "sweep.md").read_text()
    assert page.count("data:image/png;base64,") == 2 * len(names)
    assert all(f"](figures/{name})" in told for name in names)
    assert "benchmark sweep --generators smote,vae" in page


def test_two_seeds_have_no_turning_points(fake, tmp_path):
    write(swept(fake, tmp_path, seeds=2), draw=no_figures)
    assert "2 of at least 3 seeds" in (tmp_path / "sweep.md").read_text()


def test_values_that_are_no_numbers_have_verdicts_instead(folder):
    info = json.loads((folder / "sweep.json").read_text())
    named = dict(zip(GAINS, ("few", "some", "<b>many</b>"), strict=True))
    info |= {"over": {"dcgan.kind": list(named.values())}, "numbers": [], "unfilled": []}
    for point in info["points"]:
        point["at"] = {"dcgan.kind": named[point["at"]["fill"]]}
    (folder / "sweep.json").write_text(json.dumps(info))
    write(folder)
    told, page = (folder / "sweep.md").read_text(), (folder / "sweep.html").read_text()
    assert "against controls: " in told
    assert "helps at dcgan.kind &lt;b&gt;many&lt;/b&gt;" in told
    assert "<b>many" not in page
    assert pd.read_csv(folder / "turning-points.csv").empty


def test_a_folder_of_no_sweep_is_refused(tmp_path):
    with pytest.raises(FillbenchError, match=r"has no sweep\.json"):
        write(tmp_path)
    (tmp_path / "sweep.json").write_text("{}")
    with pytest.raises(FillbenchError, match="it lacks schema"):
        write(tmp_path)


def test_what_hurts_from_the_lowest_value_on_is_not_said_to_hurt_where_nothing_is_filled(folder):
    info = json.loads((folder / "sweep.json").read_text())
    info["points"] = [{**info["points"][2], "at": {"fill": "0.5"}}, info["points"][2]]
    info["over"]["fill"] = ["0.0", "0.5", "1.0"]
    (folder / "sweep.json").write_text(json.dumps(info))
    write(folder, draw=no_figures)
    turns = pd.read_csv(folder / "turning-points.csv").set_index(["arm", "estimand", "change"])
    assert turns.loc[("vae", "knowing", "hurts"), ["lowest", "from", "from_high"]].tolist() == [0.5, 0.5, 0.5]
    assert "hurts in knowing from the lowest fill that was tried on" in (folder / "sweep.md").read_text()


def test_an_arm_under_a_strategy_is_none_under_it_where_nothing_is_filled(folder):
    for point in GAINS:
        file = folder / "points" / point / "run.json"
        run = json.loads(file.read_text())
        for arm in run["arms"]:
            if arm["name"] == "mixup":
                arm |= {"name": "none+mixup", "source": "none", "strategy": "mixup"}
            if arm["name"] == "vae":
                arm |= {"name": "vae+mixup", "strategy": "mixup"}
        file.write_text(json.dumps(run))
        for kind, ending in (("cells", "json"), ("predictions", "npz")):
            for old, new in (("mixup", "none+mixup"), ("vae", "vae+mixup")):
                for path in (folder / "points" / point / kind).glob(f"{old}-seed*"):
                    path = path.rename(path.with_name(path.name.replace(old, new)))
                    if ending == "json":
                        path.write_text(json.dumps(json.loads(path.read_text()) | {"arm": new}))
    table = write(folder, draw=no_figures).set_index(["fill", "arm"])
    for column in ("rare_ap_mean", "vs_none_knowing_mean", "vs_none_deciding_ci_low"):
        assert table.loc[(0.0, "vae+mixup"), column] == table.loc[(0.0, "none+mixup"), column]
    assert table.loc[(0.0, "vae+mixup"), "vs_none_knowing_mean"] != 0


def test_what_is_not_finished_is_told_with_its_reason_and_where(folder):
    for seed in range(5):
        file = folder / "points" / "0.5" / "cells" / f"smote-seed{seed}.json"
        record = json.loads(file.read_text())
        file.write_text(json.dumps(record | {"status": "failed", "reason": "no luck"}))
    (folder / "points" / "1.0" / "cells" / "vae-seed4.json").unlink()
    write(folder, draw=no_figures)
    told, page = (folder / "sweep.md").read_text(), (folder / "sweep.html").read_text()
    assert "| smote | 0.5 | failed | no luck |" in told
    assert "| vae | 1.0 | incomplete | 4 of 5 seeds done |" in told
    assert "no luck" in page
    assert " ." not in told.split("Differences are")[0]


def test_flags_and_seeds_that_were_added_are_told(folder):
    for point in GAINS:
        file = folder / "points" / point / "run.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"planned_seeds": [3, 5]}))
    cell = folder / "points" / "0.5" / "cells" / "smote-seed0.json"
    record = json.loads(cell.read_text())
    record["audit"]["flags"] = ["copies"]
    cell.write_text(json.dumps(record))
    write(folder, draw=no_figures)
    told = (folder / "sweep.md").read_text()
    assert told.count("Seeds were added after looking: 3, then 5 were planned.") == 1
    assert "smote (flagged: copies) beats every control" in told


def test_values_that_were_added_after_looking_are_named(folder):
    info = json.loads((folder / "sweep.json").read_text())
    write(folder, draw=no_figures)
    assert "added after looking" not in (folder / "sweep.md").read_text()
    (folder / "sweep.json").write_text(json.dumps(info | {"first_over": {"fill": ["0.0", "0.25", "1.0"]}}))
    write(folder, draw=no_figures)
    assert "Values were added after looking: fill 0.5." in (folder / "sweep.md").read_text()
