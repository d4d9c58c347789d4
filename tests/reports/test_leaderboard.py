import re

import numpy as np
import pandas as pd
import pytest

from fillbench.reports import write_report
from fillbench.reports.leaderboard import best, contenders, leaderboard
from fillbench.reports.metrics import METRICS
from fillbench.reports.records import Run
from fillbench.reports.words import answer, standing, warnings
from fillbench.tests.predicted import filled, predictions, written

ARMS = [("none", 0.4, ()), ("full", 0.9, ()), ("a", 0.8, ()), ("b", 0.7, ()), ("c", 0.5, ())]


def judged(run):
    read = Run.read(run.path)
    return read, leaderboard(read)


def test_the_csv_has_the_agreed_columns(default_run):
    path, _ = default_run
    head = (path / "leaderboard.csv").read_text().splitlines()[0].split(",")
    interval = ("mean", "ci_low", "ci_high")
    agreed = (
        "rare_ap",
        "balanced_accuracy",
        "minority_recall",
        "majority_recall",
        "macro_f1",
        "auroc",
        "brier",
        "log_loss",
        "ece",
        "rare_recall_at_p95",
    )
    assert set(agreed) <= {metric.name for metric in METRICS}
    compared = [f"vs_{base}_{of}" for base in ("none", "controls") for of in ("knowing", "deciding")]
    expected = {
        *(f"{metric}_{part}" for metric in agreed for part in interval),
        *(f"adjusted_{metric}_{part}" for metric in ("balanced_accuracy", "minority_recall") for part in interval),
        *(f"{start}_{part}" for start in compared for part in (*interval, "p", "detectable", "median")),
        *("verdict_vs_none", "verdict_vs_controls", "headroom_knowing", "headroom_deciding", "rank_low", "rank_high"),
        *("arm", "status", "seeds", "external_data", "control", "gap_recovered_mean", "flags", "reason"),
        *("fit_seconds", "sample_seconds", "train_seconds", "peak_memory_mb"),
    }
    assert expected <= set(head)
    assert len(head) == len(set(head))
    assert head[:3] == ["arm", "status", "seeds"]


def test_the_csv_reads_back_as_the_returned_table(default_run):
    path, board = default_run
    texts = [name for name in board if name.startswith("verdict_") or name.endswith("_outlying_seeds")]
    texts += ["reason", "flags", "threshold_instead"]
    back = pd.read_csv(
        path / "leaderboard.csv", keep_default_na=False, na_values=[""], dtype=dict.fromkeys(texts, "object")
    )
    pd.testing.assert_frame_equal(back.assign(**back[texts].fillna("")), board, check_dtype=False)


def test_rows_are_ranked_then_external_then_failed_and_skipped(default_run):
    _, board = default_run
    ranked = board[:11]
    assert (ranked["status"] == "ok").all()
    assert not ranked["external_data"].any()
    assert ranked["rare_ap_mean"].is_monotonic_decreasing
    assert list(board["arm"][11:]) == ["stable-diffusion", "acgan", "finetuned-gan"]


def test_an_arm_with_a_failed_seed_keeps_its_mean_but_is_failed(default_run):
    _, board = default_run
    row = board.set_index("arm").loc["acgan"]
    assert (row["status"], row["seeds"]) == ("failed", 2)
    assert row["reason"] == "loss became NaN at step 120"
    assert 0.2 < row["minority_recall_mean"] < 0.5


def test_a_skipped_arm_has_no_numbers_but_its_reason(default_run):
    _, board = default_run
    row = board.set_index("arm").loc["finetuned-gan"]
    assert (row["status"], row["seeds"]) == ("skipped", 0)
    assert np.isnan(row["minority_recall_mean"])
    assert "weights are not in the cache" in row["reason"]


def test_one_seed_leaves_the_intervals_empty(fake):
    run = filled(fake, {"none": [0.4], "a": [0.6]})
    write_report(run.path)
    rows = (run.path / "leaderboard.csv").read_text().splitlines()
    assert re.match(r"a,ok,1,0\.6\d*,,,", rows[1])
    assert "1 of at least 3 seeds" in (run.path / "report.html").read_text()


def test_gap_recovered_is_zero_for_none_and_one_for_full(fake):
    _, board = judged(filled(fake, {"none": [0.4, 0.5], "full": [0.9, 1.0], "a": [0.6, 0.7]}))
    gaps = board.set_index("arm")["gap_recovered_mean"]
    assert gaps["none"] == 0
    assert gaps["full"] == 1
    assert 0.2 < gaps["a"] < 0.6


def test_best_has_to_help_and_to_have_the_first_rank_alone(fake):
    read, board = judged(filled(fake, {"none": [0.1, 0.12, 0.11], "a": [0.8, 0.82, 0.81], "b": [0.3, 0.32, 0.3]}))
    assert best(read, board) == "a"
    assert standing(read, board) == "a is best: it is shown to be above every other arm."


def test_none_is_best_where_several_may_have_the_first_rank(fake):
    read, board = judged(filled(fake, {"none": [0.3, 0.32, 0.31], "a": [0.8, 0.7, 0.9], "b": [0.75, 0.78, 0.7]}))
    assert best(read, board) is None
    assert standing(read, board).startswith("No arm can be called best: 2 of 2 may have the first rank (")


def test_references_and_external_data_do_not_compete(default_run):
    path, board = default_run
    read = Run.read(path)
    assert not {"full", "none", "stable-diffusion", "acgan"} & set(contenders(read, board))


def test_one_generator_alone_is_not_called_best(fake):
    read, board = judged(filled(fake, {"none": [0.3, 0.31, 0.32], "a": [0.8, 0.81, 0.82]}))
    assert best(read, board) is None
    assert standing(read, board) == ""


def test_an_unfinished_run_has_no_best_and_says_so(fake):
    run = filled(
        fake, {"none": [0.3, 0.32, 0.32], "a": [0.8, 0.81, 0.82], "b": [0.5, 0.52, 0.53], "c": [0.5, 0.5, 0.5]}
    )
    (run.path / "cells" / "b-seed2.json").unlink()
    read, board = judged(run)
    assert best(read, board) is None
    assert board.set_index("arm").loc["b", "status"] == "incomplete"
    assert board.set_index("arm").loc["b", "verdict_vs_none"] == ""
    assert standing(read, board) == "No arm can be called best yet: not every seed is done."


def test_without_none_the_answer_does_not_claim_help(fake):
    read, board = judged(filled(fake, {"a": [0.8, 0.81, 0.8], "b": [0.5, 0.51, 0.5]}))
    assert (
        answer(read, board) == "Without the floor, nothing can be said about whether filling the rare class 8 helped."
    )


def test_a_flagged_arm_keeps_its_place_and_never_wins_silently(fake):
    run = filled(fake, {"none": [0.1, 0.12, 0.11], "a": [0.9, 0.91, 0.9], "b": [0.3, 0.3, 0.32]})
    for seed in run.seeds:
        run.change("a", seed, lambda record: record["audit"].update(flags=["leaks"]))
    read, board = judged(run)
    assert best(read, board) == "a"
    assert board.set_index("arm").loc["a", "flags"] == "leaks"
    for text in (answer(read, board), standing(read, board)):
        assert "a (flagged: leaks)" in text
    assert warnings(read, board) == "Flagged by the audits: leaks (a)."


def test_a_flag_of_some_seeds_says_of_how_many(fake):
    run = filled(fake, {"none": [0.1, 0.12, 0.11], "a": [0.9, 0.91, 0.9], "b": [0.3, 0.3, 0.32]})
    run.change("a", 1, lambda record: record["audit"].update(flags=["copies"]))
    read, board = judged(run)
    assert board.set_index("arm").loc["a", "flags"] == "copies"
    assert "a (flagged: copies in 1 of 3 seeds) is best" in standing(read, board)


def test_train_on_synthetic_has_columns_of_its_own(fake):
    run = filled(fake, {"none": [0.1, 0.2], "a": [0.5, 0.6]}, classes=2, minority=[1])
    for seed, value in enumerate((30, 50)):
        run.change("a", seed, lambda record: record.update(tstr={"minority_recall": 0.7}))
        run.predict("a", seed, [np.eye(2, dtype=int) * 100], tstr=np.array([[100, 0], [100 - value, value]]))
    rows = judged(run)[1].set_index("arm")
    assert rows.loc["a", "tstr_minority_recall_mean"] == pytest.approx(0.4), "by the predictions"
    assert np.isnan(rows.loc["none", "tstr_minority_recall_mean"])
    for path in (run.path / "predictions").iterdir():
        path.unlink()
    assert judged(run)[1].set_index("arm").loc["a", "tstr_minority_recall_mean"] == pytest.approx(0.7), "as recorded"


def test_the_shares_of_seeds_and_classifier_seeds_are_told_where_there_are_repeats(fake):
    rng = np.random.default_rng(0)
    run = written(fake, {name: predictions(rng, 3) for name in ("none", "a")})
    for seed, margin in enumerate((1.0, 2.0, 3.0)):
        twice = np.stack([predictions(rng, 1, margin, by_seed=0)[0] for _ in range(2)])
        np.savez(run.path / "predictions" / f"a-seed{seed}.npz", probabilities=twice)
    rows = judged(run)[1].set_index("arm")
    assert rows.loc["a", "seed_variance_share"] > 0.8
    assert rows.loc["a", "seed_variance_share"] + rows.loc["a", "classifier_variance_share"] == pytest.approx(1)
    assert np.isnan(rows.loc["none", "seed_variance_share"])


def test_a_run_without_predictions_is_reported_without_verdicts(fake):
    run = filled(fake, {"none": [0.1, 0.2, 0.1], "a": [0.5, 0.6, 0.5]})
    for path in (run.path / "predictions").iterdir():
        path.unlink()
    board = write_report(run.path)
    assert board["verdict_vs_none"].tolist() == ["", ""]
    assert "There are no predictions to compare." in (run.path / "report.html").read_text()
