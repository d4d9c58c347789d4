"""Whether what the audits measure tells the gain."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from fillbench.reports.leaderboard import leaderboard
from fillbench.reports.records import Run
from fillbench.reports.statistics import Interval
from fillbench.reports.usefulness import Usefulness, rank_correlation, sentence, usefulness
from fillbench.reports.verdicts import COMPARED, DECIDING, KNOWING
from fillbench.tests.reporting import page_of


def series(values):
    return pd.Series(values, dtype=float)


def test_the_correlation_is_spearmans_and_lies_within_its_interval():
    rng = np.random.default_rng(0)
    for count in (6, 12, 40):
        x = rng.normal(size=count)
        y = x + rng.normal(size=count)
        found = rank_correlation(series(x), series(y))
        assert found.mean == pytest.approx(spearmanr(x, y).statistic)
        assert -1 <= found.low <= found.mean <= found.high <= 1


def test_nineteen_intervals_of_twenty_hold_no_correlation_where_there_is_none():
    rng = np.random.default_rng(1)
    found = [rank_correlation(series(rng.normal(size=14)), series(rng.normal(size=14))) for _ in range(1000)]
    assert 0.92 <= np.mean([one.low <= 0 <= one.high for one in found]) <= 0.98


def test_ranks_in_the_same_order_are_shown_to_agree_and_equal_ones_say_nothing():
    found = rank_correlation(series(range(10)), series(np.arange(10) ** 3))
    assert found.mean == pytest.approx(1)
    assert 0.5 < found.low < 1
    assert not rank_correlation(series(range(10)), series(np.ones(10))).known


def test_the_report_says_what_goes_with_the_gain(default_run):
    run = Run.read(default_run[0])
    found = usefulness(run, leaderboard(run))
    assert "Diversity" in {one.label for one in found}, "others are the same for all of these arms"
    assert all(one.arms >= 6 and len(one.told) == 2 for one in found)
    page = (default_run[0] / "report.html").read_text()
    assert "Does quality tell the gain?" in page
    for text in found[0].told:
        assert text in page


def test_a_run_with_few_arms_says_that_it_cannot_tell(fake):
    run = fake(arms=[("none", 0.4, ()), ("smote", 0.6, ())]).plan()
    for arm in ("none", "smote"):
        for seed in range(3):
            run.cell(arm, seed)
    assert "Too few arms were audited to tell." in page_of(run)


def test_what_is_shown_to_go_with_either_gain_is_said():
    surely, hardly = Interval(0.8, 0.5, 0.9, 10), Interval(0.2, -0.3, 0.6, 10)
    found = [
        Usefulness("FID", 10, {KNOWING: hardly, DECIDING: surely}),
        Usefulness("KID", 10, dict.fromkeys(COMPARED, hardly)),
    ]
    assert sentence(found) == (
        "Nothing is shown to go with the gain in knowing. "
        "Over the arms, with the gain in deciding go: FID (+0.800 [+0.500, +0.900])."
    )
