import json

import numpy as np
import pytest
from click.testing import CliRunner

from fillbench.benchmark.calibrate import FAMILY, PAIR, main, measure, simulate


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
    assert len(rows) == 3 * (5 + 5 + 1)
    assert {row["seeds"] for row in rows} == {3, 5, 10}
