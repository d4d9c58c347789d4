"""What decides is seen first, and what cannot be said is said."""

import re

import numpy as np
import pytest

from fillbench.reports.predictions import RECALLS, bins_of, precision_of
from fillbench.reports.records import Run
from fillbench.tests.predicted import filled
from fillbench.tests.reporting import page_of


def words(markup):
    return " ".join(re.sub("<[^>]*>", " ", markup).split())


def tables(page):
    return re.findall("<table.*?</table>", page, re.S)


def row_of(table, arm):
    return next(row for row in re.findall("<tr.*?</tr>", table, re.S) if re.search(rf'scope="row".*\b{arm}\b', row))


STRONG = {
    "none": [0.4, 0.42, 0.41],
    "oversample": [0.41, 0.42, 0.4],
    "better": [0.96, 0.97, 0.96],
    "worse": [0.02, 0.01, 0.02],
}


@pytest.fixture
def strong(fake):
    return filled(fake, STRONG)


def test_the_leaderboard_shows_what_decides_and_folds_out_the_rest(strong):
    page = page_of(strong)
    first, others = tables(page)[:2]
    heads = [words(head) for head in re.findall("<th scope=.col.*?</th>", first, re.S)]
    assert heads == [
        "Arm",
        "knowing Rare AP",
        "Interval of Rare AP",
        "deciding Balanced acc.",
        "Against none",
        "Against every control",
        "Ranks",
    ]
    assert page.index("<details>") < page.index(others)
    for label in ("Minority recall", "Majority recall", "Brier score", "Balanced acc., free thr.", "Gap rec.", "Time"):
        assert label in words(others)


def test_helps_and_hurts_are_told_apart_by_word_and_class(strong):
    page = page_of(strong)
    first = tables(page)[0]
    assert '<span class="said helps">helps</span>' in row_of(first, "better")
    assert '<span class="said hurts">hurts</span>' in row_of(first, "worse")
    colours = re.findall(r"\.(helps|hurts|mixed|shifts) \{ color: (\S+);", page)
    assert len({colour for _, colour in colours}) == 4


def test_verdicts_stand_with_difference_p_detectable_and_headroom(strong):
    page = page_of(strong)
    against_none = tables(page)[2]
    assert words(against_none).count("headroom 0.") == 2
    cells = re.findall("<td.*?</td>", row_of(against_none, "better"), re.S)
    assert words(cells[0]) == "helps"
    assert len(cells) == 7
    assert "Against every control: oversample" in page


def test_an_arm_with_a_failed_seed_has_no_verdict_and_the_page_says_why(strong):
    strong.broken("better", 1)
    page = page_of(strong)
    for table in (tables(page)[0], tables(page)[2]):
        assert "no verdict seed 1 failed" in words(row_of(table, "better"))
        assert "helps" not in row_of(table, "better")
    assert '<p class="standing warn">No verdict and no rank, since a seed failed or is not done: better.</p>' in page


def test_a_failed_control_leaves_no_verdict_against_the_controls(strong):
    strong.broken("oversample", 1)
    row = words(row_of(tables(page_of(strong))[0], "better"))
    assert "helps no verdict oversample: seed 1 failed" in row


def test_seeds_that_were_added_after_looking_are_told_at_the_top(strong):
    strong.plan(planned_seeds=[2, 3])
    assert "Seeds were added after looking: 2, then 3 were planned." in page_of(strong).split("<nav")[0]


def test_one_seed_is_too_few(fake):
    page = page_of(filled(fake, {"none": [0.4], "oversample": [0.5], "a": [0.6]}))
    assert words(row_of(tables(page)[0], "a")).count("too few seeds") == 2
    assert "Too few seeds: this run has 1, and a verdict takes 3 or more." in page
    assert "nan" not in words(page.split("<body>")[1].split("<script>")[0]).lower()


def test_an_outlying_seed_is_named_with_the_median(fake):
    steps = np.array([0, 0.01, 0.02, 0, 0.01])
    recalls = {arm: level + steps for arm, level in (("none", 0.3), ("a", 0.4), ("b", 0.5), ("c", 0.6), ("odd", 0.3))}
    recalls["odd"][2] = 0.9
    row = row_of(tables(page_of(filled(fake, recalls)))[2], "odd")
    assert re.search(r"seed 2 far off; median \S?0\.", row)


@pytest.mark.parametrize(
    ("arms", "options"),
    [
        (("a", "b"), {}),
        (("none",), {}),
        (("full", "a"), {}),
        (("none", "oversample"), {}),
        (("none", "oversample", "a"), {"classes": 40, "minority": list(range(5, 35))}),
        (("none", "a"), {"classes": 2, "minority": [1]}),
    ],
)
def test_the_page_can_be_written_without_floor_controls_or_rivals_and_for_many_classes(fake, arms, options):
    run = filled(fake, {arm: np.linspace(0.4, 0.5, 3) for arm in arms}, **options)
    page = page_of(run)
    assert all(row_of(tables(page)[0], arm) for arm in arms)


def test_a_run_of_which_only_none_went_well_is_reported(strong):
    for arm in ("oversample", "better", "worse"):
        strong.broken(arm, 2)
    assert "There are no predictions to compare. It takes" in page_of(strong)


def test_the_mean_precision_over_all_recalls_is_the_average_precision(strong):
    run = Run.read(strong.path)
    curve = precision_of(run, "better")
    assert curve.shape == RECALLS.shape
    scores = run.metric("better", "rare_ap")
    assert curve.mean() == pytest.approx(np.mean(list(scores.values())), abs=1e-6), "100 test images: a recall each"


def test_the_bins_of_one_seed_weigh_up_to_its_calibration_error(fake):
    run = filled(fake, {"none": [0.5]})
    read = Run.read(run.path)
    confidence, accuracy, share = bins_of(read, "none")
    assert share.sum() == pytest.approx(1)
    assert (share * abs(confidence - accuracy)).sum() == pytest.approx(read.metric("none", "ece")[0], abs=1e-6)


def test_arms_without_predictions_have_no_curves(strong):
    for file in (strong.path / "predictions").iterdir():
        file.unlink()
    run = Run.read(strong.path)
    assert not len(precision_of(run, "better"))
    assert not len(bins_of(run, "better"))
    assert "There are no predictions to compare. It takes" in page_of(strong)
