"""Cost against gain: the front, and the chart of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fillbench.reports.leaderboard import leaderboard
from fillbench.reports.pareto import Point, chart, front, points_by, told
from fillbench.reports.records import Run
from fillbench.tests.predicted import filled
from fillbench.tests.reporting import page_of

POINTS = st.lists(st.tuples(st.integers(1, 9), st.integers(-4, 4)), min_size=1, max_size=12)


@given(POINTS)
def test_who_is_on_the_front_is_beaten_by_nobody_and_who_is_not_by_someone_on_it(points):
    on = front(points)
    assert any(on)
    best = [point for point, there in zip(points, on, strict=True) if there]
    for (cost, gain), there in zip(points, on, strict=True):
        beaten = any(c <= cost and g >= gain and (c, g) != (cost, gain) for c, g in best)
        assert beaten != there


def test_the_floor_gains_nothing_and_the_ceiling_is_left_out(fake):
    run = Run.read(filled(fake, {"none": [0.3] * 3, "full": [0.9] * 3, "smote": [0.6] * 3, "vae": [0.2] * 3}).path)
    points = {point.arm: point for point in points_by(run, leaderboard(run), "seconds")}
    assert set(points) == {"none", "smote", "vae"}
    assert points["none"].gain == 0
    assert points["smote"].on_front
    assert points["smote"].gain > 0 > points["vae"].gain
    assert "smote (" in told(run, leaderboard(run))


@given(st.lists(st.tuples(st.floats(1e-3, 1e6), st.floats(-1, 1)), min_size=2, max_size=20))
def test_dots_and_ticks_lie_within_the_chart(points):
    drawn = chart([Point(f"arm {spot}", *point, False) for spot, point in enumerate(points)], "MB")
    for dot in drawn["dots"]:
        assert drawn["left"] <= dot["x"] <= drawn["right"]
        assert 0 <= dot["y"] <= drawn["floor"]
    assert 1 <= len(drawn["costs"]) <= 10
    assert 2 <= len(drawn["gains"]) <= 8
    assert all(drawn["left"] <= x <= drawn["right"] for x, _ in drawn["costs"])


def test_one_arm_has_no_chart():
    assert chart([Point("none", 3.0, 0.0, True)], "s") is None


def test_every_dot_says_which_arm_it_is(fake):
    page = page_of(filled(fake, {"none": [0.3] * 3, "smote": [0.6] * 3, "vae": [0.2] * 3}))
    for arm in ("none", "smote", "vae"):
        assert f"<title>{arm}: " in page
