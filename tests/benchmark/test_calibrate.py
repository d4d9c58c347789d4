import json

import numpy as np
import pytest
from click.testing import CliRunner

from fillbench.benchmark.calibrate import CHOSEN, FAMILY, ODD, PAIR, main, measure, measure_twins, simulate
from fillbench.tests.reports.conftest import FakeRun


@pytest.mark.parametrize("gain", [0.0, 0.3])
def test_simulated_arms_have_the_gain_that_is_said(gain):
    rng = np.random.default_rng(0)
    means = []
    for _ in range(300):
        run = simulate(rng, FAMILY, 3, gain)
        means.append([np.mean(list(arm.values())) for arm in run.values()])
    none, *arms = np.mean(means, axis=0)
    assert none == pytest.approx(0.5, abs=0.03)
    assert np.mean(arms[: FAMILY.gifted]) == pytest.approx(0.5 + gain, abs=0.02)
    assert np.mean(arms[FAMILY.gifted :]) == pytest.approx(0.5, abs=0.02)


def test_the_same_command_measures_the_same():
    assert measure(PAIR, 3, 0.2, 5) == measure(PAIR, 3, 0.2, 5)


def test_the_record_has_a_row_for_each_case(tmp_path):
    done = CliRunner().invoke(main, ["--runs", "2", "--out", str(tmp_path / "deep" / "c.json")])
    assert done.exit_code == 0, done.output
    rows = json.loads((tmp_path / "deep" / "c.json").read_text())["rows"]
    assert len(rows) >= 3 * (5 + 5 + 4 + 2 + 2)  # and where `none` can gain so much, the gains that are detectable
    assert {row["seeds"] for row in rows} == {3, 5, 10}
    assert len({tuple(row) for row in rows}) == 1
    assert any(row["gain"] == rows[0]["detectable"] for row in rows) == (rows[0]["detectable"] < 0.5)


def test_seeds_matter_more_to_the_unstable_arm():
    rng, spread = np.random.default_rng(0), []
    for _ in range(50):
        run = simulate(rng, ODD[-1], 5, 0.0)
        spread.append([np.std([hits.mean() for hits in arm.values()]) for arm in run.values()])
    *quiet, unstable = np.mean(spread, axis=0)
    assert unstable > 2.5 * max(quiet)


def test_all_but_the_best_control_are_compared_with_it():
    row = measure(CHOSEN[0], 3, 0.3, 4)
    assert row["comparisons"] == 4 * 14
    assert row["gains_shown"] is not None
    assert row["false_differences"] is not None


def test_twins_of_a_run_are_compared_alone_and_as_a_family_over_groups_of_seeds(tmp_path):
    rng, names = np.random.default_rng(0), ("none", "twin-a", "twin-b", "twin-c")
    arms = [(name, 0.5, ()) for name in names]
    run = FakeRun(tmp_path / "run", classes=2, minority=[1], seeds=range(7), arms=arms).plan()
    for name in names:
        for seed in range(7):
            run.cell(name, seed, float(rng.binomial(100, 0.5) / 100))
    three, five = measure_twins(run.path)
    assert (three["comparisons"], three["families"]) == (6, 2)
    assert (five["comparisons"], five["families"]) == (3, 1)
    assert three["pair_false_differences"] <= 1 / 6
