import numpy as np
import pandas as pd
import pytest

from fillbench.reports import write_report
from fillbench.reports.leaderboard import leaderboard, marks
from fillbench.reports.records import Run
from fillbench.reports.words import answer, beyond_controls, standing, warnings

ARMS = [("none", 0.4, ()), ("full", 0.9, ()), ("a", 0.8, ()), ("b", 0.7, ()), ("c", 0.5, ())]


def filled(fake, recalls, **options):
    """A run whose minority recalls are given as {arm: [by seed]}."""
    seeds = range(len(next(iter(recalls.values()))))
    run = fake(seeds=seeds, arms=[(arm, 0, ()) for arm in recalls], **options).plan()
    for arm, values in recalls.items():
        for seed, value in enumerate(values):
            run.cell(arm, seed, recall=value)
    return run


def judged(run):
    read = Run.read(run.path)
    board = leaderboard(read)
    return read, board, marks(read, board)


def test_the_csv_has_the_agreed_columns_in_order(default_run):
    path, _ = default_run
    head = (path / "leaderboard.csv").read_text().splitlines()[0].split(",")
    metrics = [
        "minority_recall",
        "rare_ap",
        "balanced_accuracy",
        "majority_recall",
        "minority_precision",
        "minority_f1",
        "rare_recall_at_p95",
        "macro_f1",
        "g_mean",
        "accuracy",
        "weighted_f1",
        "auroc",
        "brier",
        "log_loss",
        "ece",
    ]
    assert head == [
        "arm",
        "status",
        "seeds",
        *[f"{metric}_{part}" for metric in metrics for part in ("mean", "ci_low", "ci_high")],
        *[
            f"adjusted_{metric}_{part}"
            for metric in ("balanced_accuracy", "minority_recall")
            for part in ("mean", "ci_low", "ci_high")
        ],
        "gap_recovered_mean",
        "external_data",
        "fit_seconds",
        "sample_seconds",
        "train_seconds",
        "peak_memory_mb",
        "rank",
        "control",
        *[
            column
            for base in ("none", "control")
            for column in (
                f"verdict_vs_{base}",
                *[f"vs_{base}_{part}" for part in ("mean", "ci_low", "ci_high", "p_holm", "better", "detectable")],
            )
        ],
        *[f"tstr_minority_recall_{part}" for part in ("mean", "ci_low", "ci_high")],
        "seed_variance_share",
        "classifier_variance_share",
        "copy_rate",
        "test_leak_rate",
        "duplicate_rate",
        "label_fidelity",
        "diversity",
        "kid",
        "fid",
        "fid_floor",
        "density",
        "coverage",
        "flags",
        "reason",
    ]


def test_the_csv_reads_back_as_the_returned_table(default_run):
    path, board = default_run
    back = pd.read_csv(path / "leaderboard.csv", keep_default_na=False, na_values=[""])
    texts = ["reason", "flags", "verdict_vs_none", "verdict_vs_control"]
    pd.testing.assert_frame_equal(back.assign(**back[texts].fillna("")), board, check_dtype=False)


def test_rows_are_ranked_then_external_then_failed_and_skipped(default_run):
    _, board = default_run
    ranked = board[:11]
    assert (ranked["status"] == "ok").all()
    assert not ranked["external_data"].any()
    assert ranked["minority_recall_mean"].is_monotonic_decreasing
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
    assert rows[1].startswith("a,ok,1,0.6,,,")
    assert "with one seed there is no interval" in (run.path / "report.html").read_text()


def test_gap_recovered_is_zero_for_none_and_one_for_full(fake):
    _, board, _ = judged(filled(fake, {"none": [0.4, 0.5], "full": [0.9, 1.0], "a": [0.6, 0.7]}))
    gaps = board.set_index("arm")["gap_recovered_mean"]
    assert gaps["none"] == 0
    assert gaps["full"] == 1
    assert gaps["a"] == pytest.approx(0.4)


def test_best_and_second_are_marked_when_the_intervals_allow(fake):
    recalls = {
        "none": [0.3, 0.32, 0.312],
        "a": [0.8, 0.82, 0.81],
        "b": [0.7, 0.72, 0.7],
        "c": [0.5, 0.5, 0.52],
    }
    read, board, found = judged(filled(fake, recalls))
    assert found == {"a": "best", "b": "second"}
    assert standing(read, board) == "a is best: it is shown to be above every other arm. b is second."


def test_best_is_not_marked_when_the_difference_may_be_zero(fake):
    recalls = {"none": [0.3, 0.32, 0.31], "a": [0.8, 0.7, 0.9], "b": [0.75, 0.78, 0.7]}
    read, board, found = judged(filled(fake, recalls))
    assert found == {}
    assert standing(read, board) == "No arm can be called best: nothing tells a and b apart."


def test_a_pair_that_always_differs_is_told_apart_though_the_seeds_vary(fake):
    _, _, found = judged(filled(fake, {"none": [0.1, 0.3, 0.51], "a": [0.5, 0.7, 0.9], "b": [0.4, 0.61, 0.8]}))
    assert found["a"] == "best"


def test_best_has_to_beat_none_too(fake):
    read, board, found = judged(
        filled(fake, {"none": [0.8, 0.81, 0.82], "a": [0.7, 0.71, 0.721], "b": [0.5, 0.51, 0.52]})
    )
    assert found == {}
    assert standing(read, board) == "No arm can be called best: a is not shown to help."
    assert answer(read, board).startswith("Nothing raised the recall of the rare class 8: the highest, a changed it by")


def test_references_and_external_data_do_not_compete(default_run):
    path, board = default_run
    read = Run.read(path)
    assert "full" not in marks(read, board)
    assert not answer(read, board).startswith(("full", "stable-diffusion"))


def test_one_generator_alone_is_not_called_best(fake):
    _, _, found = judged(filled(fake, {"none": [0.3, 0.31, 0.32], "a": [0.8, 0.81, 0.82]}))
    assert found == {}


def test_an_unfinished_run_has_no_best_and_says_so(fake):
    run = filled(fake, {"none": [0.3, 0.32, 0.32], "a": [0.8, 0.81, 0.82], "b": [0.5, 0.52, 0.53]})
    (run.path / "cells" / "b-seed2.json").unlink()
    read, board, found = judged(run)
    assert found == {}
    assert board.set_index("arm").loc["b", "status"] == "incomplete"
    assert standing(read, board) == "No arm can be called best yet: not every seed is done."
    write_report(run.path)
    for name in ("report.html", "leaderboard.md"):
        assert "8 of 9 cells" in (run.path / name).read_text()


def test_the_answer_names_gain_interval_and_cost(default_run):
    path, board = default_run
    text = answer(Run.read(path), board)
    assert text.startswith("ddpm raised the recall of the rare class 8 most, from 0.")
    assert "over 3 seeds that is shown to help (p < 0.001 after Holm's correction)" in text
    assert "recall of the other classes changed by \N{MINUS SIGN}0.0" in text


def test_without_none_the_answer_does_not_claim_help(fake):
    read, board, _ = judged(filled(fake, {"a": [0.8, 0.81], "b": [0.5, 0.51]}))
    assert "without the imbalanced data as it is" in answer(read, board)


STRONG = {
    "none": [0.1, 0.12, 0.11],
    "oversample": [0.5, 0.51, 0.5],
    "a": [0.9, 0.91, 0.9],
    "b": [0.5, 0.5, 0.52],
    "worse": [0.2, 0.19, 0.2],
}


def test_verdicts_are_against_none_and_against_the_best_control(fake):
    read, board, _ = judged(filled(fake, STRONG))
    rows = board.set_index("arm")
    assert rows["verdict_vs_none"].drop("none").tolist() == ["helps"] * 4
    against = rows["verdict_vs_control"].to_dict()
    assert against == {
        "a": "helps",
        "b": "no difference shown",
        "worse": "hurts",
        "oversample": "",
        "none": "",
    }
    assert beyond_controls(read, board) == "Better than the best control, oversample (0.503): a."
    row = rows.loc["a"]
    assert row["vs_control_ci_low"] < 0.4 < row["vs_control_ci_high"]
    assert row["vs_control_mean"] == pytest.approx(0.4, abs=0.02)
    assert row["vs_control_better"] == 1
    assert 0 < row["vs_control_detectable"] < 0.3


def test_no_generator_beyond_the_control_is_said_with_what_would_have_been_seen(fake):
    recalls = {name: values for name, values in STRONG.items() if name != "a"}
    read, board, _ = judged(filled(fake, recalls))
    told = beyond_controls(read, board)
    assert told.startswith(
        "No generator is shown to do more than the best control, oversample (0.503) (worse did worse)"
    )
    assert "with 3 seeds a difference of 0." in told


def test_a_control_that_varies_wildly_leaves_nothing_to_be_shown(fake):
    recalls = {"none": [0.1, 0.12, 0.11], "oversample": [0.05, 0.9, 0.95], "a": [0.5, 0.52, 0.5]}
    read, board, _ = judged(filled(fake, recalls))
    assert beyond_controls(read, board).endswith("; 3 seeds could hardly have shown any difference to it.")


def test_the_best_control_is_one_with_all_its_seeds(fake):
    run = filled(fake, {**STRONG, "mixup": [0.3, 0.31, 0.3]})
    for seed in (1, 2):
        (run.path / "cells" / f"oversample-seed{seed}.json").unlink()
    read, board, _ = judged(run)
    assert "the best control, mixup (0.303)" in beyond_controls(read, board)
    assert board.set_index("arm").loc["a", "verdict_vs_control"] == "helps"


def test_arms_that_nothing_tells_apart_share_a_rank(fake):
    read, board, found = judged(filled(fake, STRONG))
    ranks = board.set_index("arm")["rank"]
    assert ranks.drop("none").to_dict() == {"a": 1, "oversample": 2, "b": 2, "worse": 4}
    assert np.isnan(ranks["none"])
    assert found == {"a": "best"}
    assert standing(read, board) == "a is best: it is shown to be above every other arm."


def test_a_flagged_arm_keeps_its_place_and_never_wins_silently(fake):
    run = filled(fake, STRONG)
    for seed in run.seeds:
        run.change("a", seed, lambda record: record["audit"].update(flags=["leaks"]))
    read, board, found = judged(run)
    assert found == {"a": "best"}
    assert board.set_index("arm").loc["a", "flags"] == "leaks"
    for text in (answer(read, board), standing(read, board)):
        assert "a (flagged: leaks)" in text
    assert warnings(read, board) == "Flagged by the audits: leaks (a)."


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
    run = filled(fake, {"none": [0.1, 0.2, 0.3], "a": [0.5, 0.6, 0.7]})

    def repeat(record):
        (one,) = record["classifiers"]
        metrics = one["metrics"] | {"minority_recall": one["metrics"]["minority_recall"] + 0.01}
        record["classifiers"].append(one | {"metrics": metrics})

    for seed in range(3):
        run.change("a", seed, repeat)
    _, board, _ = judged(run)
    rows = board.set_index("arm")
    assert rows.loc["a", "seed_variance_share"] > 0.95
    assert rows.loc["a", "seed_variance_share"] + rows.loc["a", "classifier_variance_share"] == pytest.approx(1)
    assert np.isnan(rows.loc["none", "seed_variance_share"])


def test_a_run_without_predictions_is_reported_without_verdicts(fake):
    run = filled(fake, {"none": [0.1, 0.2], "a": [0.5, 0.6]})
    for path in (run.path / "predictions").iterdir():
        path.unlink()
    board = write_report(run.path)
    assert board["verdict_vs_none"].tolist() == ["", ""]
    assert "There are no predictions to compare." in (run.path / "report.html").read_text()


def test_a_flag_of_some_seeds_says_of_how_many(fake):
    run = filled(fake, STRONG)
    run.change("a", 1, lambda record: record["audit"].update(flags=["copies"]))
    read, board, _ = judged(run)
    assert board.set_index("arm").loc["a", "flags"] == "copies"
    assert "a (flagged: copies in 1 of 3 seeds) is best" in standing(read, board)
