import json

import numpy as np
import pytest
from click.testing import CliRunner

from fillbench import FillbenchError
from fillbench.benchmark.calibrate import Case, main, measure, measure_halves, measure_levels, measure_twins, simulate
from fillbench.tests.fake_run import FakeRun
from fillbench.tests.predicted import predictions, written


def levels(case, metric, runs=60, seeds=3):
    """The mean of each arm over simulated runs."""
    rng = np.random.default_rng(0)
    return np.mean([simulate(rng, case, seeds)[metric].values.mean(axis=1) for _ in range(runs)], axis=0)


def test_simulated_arms_differ_by_their_gain_only():
    none, gains, *others = levels(Case("", 4, gifted=1, gain=1.0), "rare_ap")
    assert gains > none + 0.08
    assert np.abs(np.array(others) - none).max() < 0.03


def test_a_gain_is_one_in_recall_and_balanced_accuracy_too():
    for metric in ("minority_recall", "balanced_accuracy"):
        none, gains, _ = levels(Case("", 2, gifted=1, gain=1.0), metric)
        assert gains > none + 0.02


def test_an_arm_that_collapses_is_no_worse_in_truth():
    _, *others = levels(Case("", 3, by_seed=0.1, collapsing=3), "rare_ap", runs=200, seeds=5)
    assert abs(others[2] - others[0]) < 0.03


def test_seeds_matter_more_to_the_last_arm_where_it_is_said():
    rng, spread = np.random.default_rng(0), []
    for _ in range(30):
        spread.append(simulate(rng, Case("", 5, by_seed=0.1, last=8), 5)["rare_ap"].values.std(axis=1))
    *quiet, last = np.mean(spread, axis=0)
    assert last > 1.5 * max(quiet)


def test_arms_that_are_alike_move_together():
    rng, together = np.random.default_rng(0), []
    for alike in (0.0, 0.9):
        found = [simulate(rng, Case("", 4, by_seed=0.5, alike=alike), 10)["rare_ap"].values for _ in range(10)]
        together.append(np.mean([np.corrcoef(one[1:])[0, 1] for one in found]))
    assert together[1] > together[0] + 0.3


def test_the_same_command_measures_the_same():
    case = Case("", 3, controls=2, gifted=1, gain=1.0)
    assert measure(case, 3, 3) == measure(case, 3, 3)


@pytest.mark.parametrize("seeds", [3, 5])
def test_arms_without_a_true_difference_are_seldom_told_apart(seeds):
    row = measure(Case("", 5, controls=2), seeds, 60)
    assert row["runs_with_a_false_verdict"] <= 0.15  # a true rate of 5 % would be above that in one of 1,300 such tests
    assert row["runs_with_a_false_verdict_against_controls"] <= 0.15
    assert row["intervals_that_hold"] > 0.9


def test_levels_hold_what_an_arm_reaches():
    held = measure_levels(Case("", 1), 3, 60)["levels_that_hold"]
    assert min(held.values()) > 0.85


def test_the_record_has_a_row_for_each_case(tmp_path):
    done = CliRunner().invoke(main, ["--runs", "1", "--out", str(tmp_path / "deep" / "c.json")])
    assert done.exit_code == 0, done.output
    rows = json.loads((tmp_path / "deep" / "c.json").read_text())["rows"]
    names = {row["case"]["name"] for row in rows}
    for part in ("collapses", "noisy", "rare test examples", "recall near 0", "recall near 1", "alike", "20 arms"):
        assert any(part in name for name in names), part
    assert {row["seeds"] for row in rows} == {3, 5, 10}


def test_twins_of_a_run_are_compared_in_pairs_over_groups_of_seeds(tmp_path):
    rng = np.random.default_rng(0)
    arms = {name: predictions(rng, 7) for name in ("none", "twin-a", "twin-b", "twin-c")}
    run = written(lambda **options: FakeRun(tmp_path / "run", **options), arms)
    three, five = measure_twins(run.path)
    assert (three["comparisons"], five["comparisons"]) == (6, 3)
    assert three["called_different"] <= 1 / 6


@pytest.mark.parametrize(("later", "agreement"), [((1.0, 2.0, 3.0), 1), ((3.0, 2.0, 1.0), -1)])
def test_the_order_by_half_of_the_seeds_is_held_against_that_by_the_other_half(tmp_path, later, agreement):
    rng = np.random.default_rng(0)
    arms = {"none": predictions(rng, 6)}
    for name, before, after in zip(("a", "b", "c"), (1.0, 2.0, 3.0), later, strict=True):
        arms[name] = np.concatenate([predictions(rng, 3, margin=before), predictions(rng, 3, margin=after)])
    run = written(lambda **options: FakeRun(tmp_path / "run", **options), arms)
    out = tmp_path / "halves.json"
    assert CliRunner().invoke(main, ["--halves", str(run.path), "--out", str(out)]).exit_code == 0
    knowing, deciding = json.loads(out.read_text())["rows"]
    assert (knowing["seeds"], knowing["rank_correlation"], deciding["rank_correlation"]) == (3, agreement, agreement)


def test_what_is_measured_of_a_run_is_told_without_a_file_too(tmp_path):
    rng = np.random.default_rng(0)
    run = written(
        lambda **options: FakeRun(tmp_path / "run", **options),
        {name: predictions(rng, 6) for name in ("none", "a", "b")},
    )
    for what, told in (("--halves", "rank_correlation"), ("--twins", "called_different")):
        done = CliRunner().invoke(main, [what, str(run.path)])
        assert told in done.output, done.output


@pytest.mark.parametrize(("arms", "seeds"), [(("none", "a"), 4), (("none", "a", "b"), 1)])
def test_a_run_that_has_no_halves_to_compare_is_told(tmp_path, arms, seeds):
    rng = np.random.default_rng(0)
    run = written(
        lambda **options: FakeRun(tmp_path / "run", **options), {name: predictions(rng, seeds) for name in arms}
    )
    with pytest.raises(FillbenchError, match="two seeds and two arms"):
        measure_halves(run.path)
