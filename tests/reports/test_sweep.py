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
    assert set(table["fill"]) == {"0.0", *GAINS}


def test_without_filling_an_arm_is_none(folder):
    table = write(folder, draw=no_figures).set_index(["fill", "arm"])
    for arm in ("smote", "vae", "oversample"):
        here = table.loc[("0.0", arm)]
        assert here["rare_ap_mean"] == table.loc[("0.25", "none"), "rare_ap_mean"]
        assert here[["vs_none_knowing_mean", "vs_none_deciding_ci_high"]].tolist() == [0, 0]
        assert np.isnan(here["vs_controls_knowing_mean"])
    assert table.loc[("0.0", "full"), "rare_ap_mean"] == table.loc[("1.0", "full"), "rare_ap_mean"]


def test_every_figure_is_in_the_page_and_beside_it(folder):
    write(folder)
    names = {path.name for path in (folder / "figures").iterdir()}
    assert names == {f"{metric}-{which}.png" for metric in ("knowing", "deciding") for which in ("arms", "controls")}
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
    info["over"], info["unfilled"] = {"dcgan.kind": list(named.values())}, []
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
