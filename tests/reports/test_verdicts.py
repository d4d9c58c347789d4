import json

import numpy as np
import pytest

from fillbench.records import cell_name
from fillbench.reports import write_report
from fillbench.reports.adjustment import adjusted
from fillbench.reports.evidence import sentence
from fillbench.reports.leaderboard import leaderboard
from fillbench.reports.records import Run
from fillbench.reports.words import answer, beyond_controls, looked_before, missing, standing, verdict
from fillbench.tests.predicted import RARE, all_rare, predictions, softmax, written
from fillbench.tests.reporting import page_of

CONTROLS = ("oversample", "mixup")  # as the fake run has them


def judged(fake, arms):
    run = Run.read(written(fake, arms).path)
    return run, leaderboard(run).set_index("arm", drop=False)


def sampled(rng, seeds, margins, **options):
    """Arms by their margins, on test examples that are equally hard for all."""
    difficulty = rng.normal(size=(400, 4))
    return {name: predictions(rng, seeds, margin, difficulty=difficulty, **options) for name, margin in margins.items()}


def test_an_arm_that_calls_everything_rare_never_helps(fake):
    rng = np.random.default_rng(0)
    arms = sampled(rng, 5, {"none": 2, "oversample": 2, "mixup": 2, "honest": 2, "smote": 2})
    arms["all-rare"] = all_rare(arms["none"])
    run, board = judged(fake, arms)
    row = board.loc["all-rare"]
    assert row["minority_recall_mean"] == 1
    assert row["vs_none_recall_mean"] > 0.3
    assert row["verdict_vs_none"] == row["verdict_vs_controls"] == "hurts"
    assert board.index[-1] == "all-rare"
    assert row["rank_low"] == 5
    assert "all-rare hurts beside doing nothing: average precision" in verdict(run, row, "none")


def test_another_threshold_is_not_knowing_more(fake):
    rng = np.random.default_rng(1)
    arms = sampled(rng, 5, {"none": 2.5, "oversample": 2.5, "mixup": 2.5, "smote": 2.5, "vae": 2.5}, bias=-3.0)
    arms["moved"] = softmax(np.log(arms["none"]) + np.where(np.arange(4) == RARE, 1.5, 0.0))
    _, board = judged(fake, arms)
    row = board.loc["moved"]
    assert row["vs_none_recall_mean"] > 0.15
    assert row["vs_none_knowing_p"] > 0.05
    assert abs(row["vs_none_knowing_mean"]) < 0.05


def test_of_many_arms_of_one_verdict_their_number_is_told_and_how_many_are_flagged(fake):
    margins = {"none": 2, "oversample": 2, "mixup": 2, **{f"good-{index}": 6 for index in range(4)}, "bad": 0}
    run, board = judged(fake, sampled(np.random.default_rng(3), 5, margins))
    for seed in run.seeds:
        run.records["good-1", seed]["audit"]["flags"] = ["copies"]
    told = answer(run, board)
    assert "helps: 4 of 5 generators (1 of them flagged)" in told
    assert "hurts: bad" in told


def test_what_raises_only_the_rare_recall_shifts(fake):
    rng = np.random.default_rng(2)
    arms = sampled(rng, 6, {"none": 3, "oversample": 3, "mixup": 3, "smote": 3, "vae": 3}, bias=-0.5, by_seed=0.02)
    arms["moved"] = softmax(np.log(arms["none"]) + np.where(np.arange(4) == RARE, 1.2, 0.0))
    run, board = judged(fake, arms)
    row = board.loc["moved"]
    assert row["verdict_vs_none"] == "shifts"
    assert "which moving the decision threshold does too" in verdict(run, row, "none")


def test_a_true_gain_helps_beside_doing_nothing_and_beside_every_control(fake):
    rng = np.random.default_rng(3)
    arms = sampled(rng, 5, {"none": 1.5, "oversample": 1.7, "mixup": 1.5, "smote": 1.5, "vae": 4.0})
    run, board = judged(fake, arms)
    row = board.loc["vae"]
    assert row["verdict_vs_none"] == row["verdict_vs_controls"] == "helps"
    assert row["rank_low"] == row["rank_high"] == 1
    assert standing(run, board).startswith("vae is best")
    assert "helps: vae" in answer(run, board)
    assert "Beside every control (oversample and mixup), helps: vae" in beyond_controls(run, board)
    assert row["vs_none_knowing_ci_low"] < row["vs_none_knowing_mean"] < row["vs_none_knowing_ci_high"]
    assert row["vs_controls_knowing_mean"] == pytest.approx(
        row["rare_ap_mean"] - max(board.loc[list(CONTROLS), "rare_ap_mean"])
    )


def test_a_true_loss_hurts(fake):
    rng = np.random.default_rng(4)
    _, board = judged(fake, sampled(rng, 5, {"none": 3, "oversample": 3, "mixup": 3, "smote": 3, "acgan": 0.5}))
    assert board.loc["acgan", "verdict_vs_none"] == board.loc["acgan", "verdict_vs_controls"] == "hurts"


def test_a_gain_in_one_and_a_loss_in_the_other_is_mixed(fake):
    rng = np.random.default_rng(5)
    arms = sampled(rng, 5, {"none": 2, "oversample": 2, "mixup": 2, "smote": 2, "vae": 5.0})
    arms["vae"] = softmax(np.log(arms["vae"]) + np.where(np.arange(4) == RARE, 6.0, 0.0))  # knows, and calls all rare
    _, board = judged(fake, arms)
    assert board.loc["vae", "verdict_vs_none"] == "mixed"


def test_a_collapsed_seed_is_named_with_the_median_and_shows_nothing(fake):
    rng = np.random.default_rng(6)
    arms = sampled(rng, 5, {"none": 2, "oversample": 2, "mixup": 2, "smote": 2, "vae": 2.3})
    arms["vae"][3] = predictions(rng, 1, margin=-3)[0]
    run, board = judged(fake, arms)
    row = board.loc["vae"]
    assert row["verdict_vs_none"] not in ("helps", "hurts", "mixed")
    assert row["vs_none_knowing_outlying_seeds"] == "3"
    assert row["vs_none_knowing_median"] > 0 > row["vs_none_knowing_mean"]
    assert "seed 3 far off in average precision, where the median is +0." in verdict(run, row, "none")
    quiet = board.loc[["oversample", "mixup", "smote"], "vs_none_knowing_outlying_seeds"]
    assert (quiet == "").all()


def test_an_arm_with_a_failed_seed_has_no_verdict_and_no_rank(fake):
    rng = np.random.default_rng(7)
    run = written(fake, sampled(rng, 4, {"none": 1.5, "oversample": 1.5, "mixup": 1.5, "smote": 1.5, "vae": 4.0}))
    run.broken("vae", 2)
    read = Run.read(run.path)
    board = leaderboard(read).set_index("arm", drop=False)
    row = board.loc["vae"]
    assert row["verdict_vs_none"] == row["verdict_vs_controls"] == ""
    assert np.isnan(row["rank_low"])
    assert np.isnan(row["vs_none_knowing_mean"])
    assert row["status"] == "failed"
    assert missing(read, board) == "No verdict and no rank, since a seed failed or is not done: vae."
    assert "vae" not in answer(read, board)


def test_a_control_that_failed_leaves_no_verdict_against_every_control(fake):
    rng = np.random.default_rng(7)
    run = written(fake, sampled(rng, 4, {"none": 1.5, "oversample": 1.5, "mixup": 1.5, "smote": 1.5, "vae": 4.0}))
    run.broken("mixup", 2)
    board = leaderboard(Run.read(run.path)).set_index("arm")
    assert board.loc["vae", "verdict_vs_none"] == "helps"
    assert (board["verdict_vs_controls"] == "").all()


def test_a_control_that_cannot_be_had_here_is_none(fake):
    rng = np.random.default_rng(7)
    run = written(fake, sampled(rng, 4, {"none": 1.5, "oversample": 1.5, "mixup": 1.5, "smote": 1.5, "vae": 4.0}))
    for seed in range(4):
        run.broken("mixup", seed, "skipped", "the classifier ends in no linear layer", None)
    read = Run.read(run.path)
    board = leaderboard(read)
    assert board.set_index("arm").loc["vae", "verdict_vs_controls"] == "helps"
    assert "every control (oversample)" in beyond_controls(read, board)
    page = page_of(run)
    assert "Against every control: oversample<" in page


def test_of_one_test_example_of_a_class_nothing_is_concluded(fake):
    rng = np.random.default_rng(15)
    recalled = np.full((5, 400, 4), 0.01, np.float32)
    recalled[:, np.arange(400), np.repeat(range(4), 100)] = 0.97
    missed = recalled.copy()
    missed[:, 300:] = [0.97, 0.01, 0.01, 0.01]
    noise = [rng.normal(0, 1e-4, recalled.shape).astype(np.float32) for _ in range(2)]
    run = written(fake, {"none": missed[:, :301] + noise[0][:, :301], "vae": recalled[:, :301] + noise[1][:, :301]})
    run.described["dataset"]["test_labels"] = " ".join(map(str, [*np.repeat(range(3), 100), 3]))
    (run.path / "run.json").write_text(json.dumps(run.described))
    read = Run.read(run.path)
    board = leaderboard(read).set_index("arm", drop=False)
    row = board.loc["vae"]
    assert (row["minority_recall_mean"], board.loc["none", "minority_recall_mean"]) == (1, 0)
    assert row["verdict_vs_none"] == "cannot tell"
    assert np.isnan(row["minority_recall_ci_low"])
    assert np.isnan(row["log_loss_ci_low"])
    assert "more test images" in verdict(read, row, "none")


def test_a_test_set_of_one_example_a_class_is_reported(fake):
    run = written(fake, {name: np.full((3, 4, 4), 0.25, np.float32) for name in ("none", "vae")})
    run.described["dataset"]["test_labels"] = "0 1 2 3"
    (run.path / "run.json").write_text(json.dumps(run.described))
    assert leaderboard(Run.read(run.path))["verdict_vs_none"].tolist()[-1] in ("cannot tell", "")


def test_where_a_class_has_no_test_examples_it_cannot_tell(fake):
    rng = np.random.default_rng(14)
    run = written(fake, sampled(rng, 5, {"none": 2, "oversample": 2, "mixup": 2, "smote": 2, "vae": 2}))
    run.described["dataset"]["test_labels"] = " ".join(["0"] * 100 + ["1"] * 200 + ["2"] * 100)
    (run.path / "run.json").write_text(json.dumps(run.described))
    read = Run.read(run.path)
    board = leaderboard(read).set_index("arm", drop=False)
    assert np.isnan(board.loc["vae", "balanced_accuracy_mean"])
    assert board.loc["vae", "verdict_vs_none"] == board.loc["vae", "verdict_vs_controls"] == "cannot tell"
    assert "cannot tell" in verdict(read, board.loc["vae"], "none")


def test_two_seeds_are_too_few(fake):
    run, board = judged(fake, sampled(np.random.default_rng(8), 2, {"none": 1, "oversample": 1, "vae": 4}))
    assert (board["verdict_vs_none"] == "too few seeds").all()
    assert board["rank_low"].isna().all()
    assert answer(run, board).startswith("2 of at least 3 seeds")


def test_where_the_detectable_difference_is_larger_than_the_room_it_cannot_tell(fake):
    rng = np.random.default_rng(9)
    run, board = judged(fake, sampled(rng, 3, {"none": 2, "oversample": 2, "mixup": 2, "smote": 2}, by_seed=1.0))
    row = board.loc["smote"]
    assert row["vs_none_knowing_detectable"] > row["headroom_knowing"]
    assert row["verdict_vs_none"] == "cannot tell"
    assert "where the whole room is" in verdict(run, row, "none")


def test_where_there_was_room_and_nothing_is_shown_the_sentence_says_what_would_have_been(fake):
    rng = np.random.default_rng(10)
    arms = sampled(rng, 8, {"none": 1, "oversample": 1, "mixup": 1, "smote": 1, "vae": 4, "full": 5}, by_seed=0.02)
    run, board = judged(fake, arms)
    row = board.loc["smote"]
    assert row["verdict_vs_none"] == "no difference shown"
    assert "would most likely have been shown" in verdict(run, row, "none")
    assert row["headroom_knowing"] == pytest.approx(board["rare_ap_mean"].max() - board.loc["none", "rare_ap_mean"])


def test_a_noisy_control_makes_nothing_better_or_worse(fake):
    rng = np.random.default_rng(0)
    arms = sampled(rng, 5, dict.fromkeys(("none", "oversample", "smote", "vae", "dcgan", "acgan"), 2))
    arms["mixup"] = predictions(rng, 5, 2, by_seed=1.0)
    _, board = judged(fake, arms)
    assert not board["verdict_vs_controls"].isin(("helps", "hurts", "mixed")).any()


def test_ranks_are_those_that_the_data_allow(fake):
    rng = np.random.default_rng(11)
    _, board = judged(fake, sampled(rng, 5, {"none": 1, "smote": 1, "vae": 1, "dcgan": 1, "acgan": 5}))
    assert board.loc["acgan", ["rank_low", "rank_high"]].tolist() == [1, 1]
    assert board.loc["smote", ["rank_low", "rank_high"]].tolist() == [2, 4]


def test_seeds_that_were_added_after_looking_are_told(fake):
    run = written(fake, sampled(np.random.default_rng(0), 4, {"none": 1, "vae": 2}))
    assert looked_before(Run.read(run.path)) == ""
    content = json.loads((run.path / "run.json").read_text()) | {"planned_seeds": [3, 4]}
    (run.path / "run.json").write_text(json.dumps(content))
    assert looked_before(Run.read(run.path)).startswith("Seeds were added after looking: 3, then 4 were planned.")


def test_the_columns_of_a_free_threshold_are_those_of_the_adjusted_probabilities(fake):
    run, board = judged(fake, sampled(np.random.default_rng(12), 3, {"none": 2.5, "smote": 2.5}))
    recalls = []
    for record in run.ok("none"):
        moved = adjusted(run.predictions(record)[0].probabilities, record["counts_after"])
        recalls.append((moved.argmax(1) == run.test_labels)[run.test_labels == RARE].mean())
    row = board.loc["none"]
    assert row["adjusted_minority_recall_mean"] == pytest.approx(np.mean(recalls))
    assert row["minority_recall_mean"] < row["adjusted_minority_recall_mean"] < row["adjusted_minority_recall_ci_high"]
    assert row["adjusted_minority_recall_ci_high"] <= 1


def test_levels_stay_within_their_range_and_are_never_a_point(fake):
    arms = sampled(np.random.default_rng(13), 3, {"none": -4.0, "vae": 9.0}, bias=-6)
    _, board = judged(fake, arms)
    for metric in ("minority_recall", "rare_ap", "balanced_accuracy", "ece", "auroc"):
        low, high = board[f"{metric}_ci_low"], board[f"{metric}_ci_high"]
        assert (low >= 0).all()
        assert (high <= 1).all()
        assert (low < high).all(), metric
    assert board.loc["none", "minority_recall_mean"] == 0
    assert 0.02 < board.loc["none", "minority_recall_ci_high"] < 0.06


TUNED = "none+tuned-threshold"
LOW = np.where(np.arange(4) == RARE, 0.02, 0.3)


def with_a_tuned_threshold(fake, arms):
    """A run with such predictions, and none's with a lower threshold for the rare class as a control."""
    run = written(fake, arms | {TUNED: arms["none"]})
    for entry in run.described["arms"]:
        if entry["name"] == TUNED:
            entry |= {"source": "none", "strategy": "tuned-threshold", "role": "control"}
    (run.path / "run.json").write_text(json.dumps(run.described))
    for seed, probabilities in enumerate(arms["none"]):
        file = run.path / "predictions" / f"{cell_name(TUNED, seed)}.npz"
        np.savez(file, probabilities=probabilities[None], thresholds=LOW[None])
    found = Run.read(run.path)
    return found, leaderboard(found)


def test_a_threshold_that_does_as_well_as_a_generator_and_costs_no_calibration_is_told(fake):
    arms = sampled(np.random.default_rng(14), 5, {"none": 2.5, "oversample": 2.5, "vae": 2.5}, bias=-3.0)
    arms["smote"] = softmax(np.log(arms["none"]) + np.where(np.arange(4) == RARE, 6.0, 0.0))
    run, board = with_a_tuned_threshold(fake, arms)
    by_arm = board.set_index("arm")
    assert by_arm.loc[TUNED, "brier_mean"] == by_arm.loc["none", "brier_mean"]
    assert by_arm.loc[TUNED, "rare_ap_mean"] == by_arm.loc["none", "rare_ap_mean"]
    assert by_arm.loc[TUNED, "balanced_accuracy_mean"] > by_arm.loc["none", "balanced_accuracy_mean"]
    told = sentence(run, board, "smote")
    figures = by_arm.loc[[TUNED, "smote"]]
    first, second = figures["balanced_accuracy_mean"]
    assert f"decides as well or better: balanced accuracy {first:.3f}, smote {second:.3f}." in told
    first, second = figures["brier_mean"]
    assert f"Its Brier score, {first:.3f}, is no worse than that of none; that of smote is {second:.3f}." in told
    # Its Brier score is no worse than none's, but the control is shown to decide better.
    assert by_arm.loc["vae", "brier_mean"] <= by_arm.loc["none", "brier_mean"]
    assert "only moves the decision threshold" in sentence(run, board, "vae")
    for arm in ("oversample", TUNED, "none"):
        assert "only moves the decision threshold" not in sentence(run, board, arm), "these are no generators"


def test_a_threshold_that_decides_worse_than_a_generator_is_not_told(fake):
    arms = sampled(np.random.default_rng(15), 5, {"none": 1.0, "oversample": 1.0, "vae": 1.0}, bias=-3.0)
    arms["smote"] = softmax(np.log(sampled(np.random.default_rng(15), 5, {"smote": 6.0})["smote"]) / 20)
    run, board = with_a_tuned_threshold(fake, arms)
    by_arm = board.set_index("arm")
    assert by_arm.loc["smote", "brier_mean"] > by_arm.loc["none", "brier_mean"] + 0.05
    assert by_arm.loc["smote", "balanced_accuracy_mean"] > by_arm.loc[TUNED, "balanced_accuracy_mean"]
    assert "only moves the decision threshold" not in sentence(run, board, "smote")


@pytest.mark.slow
def test_the_statistics_of_a_large_run_take_less_than_ten_seconds(fake, tmp_path):
    import time

    rng = np.random.default_rng(0)
    names = ["none", "full", "oversample", "mixup", *(f"arm{index}" for index in range(16))]
    run = fake(classes=10, seeds=range(10), minority=[8, 9], arms=[(name, 0.5, ()) for name in names]).plan()
    labels = np.repeat(np.arange(10), 1000)
    run.described["dataset"]["test_labels"] = " ".join(map(str, labels))
    (run.path / "run.json").write_text(json.dumps(run.described))
    for name in names:
        for seed in range(10):
            run.cell(name, seed)
            scores = rng.normal(size=(1, len(labels), 10))
            scores[0, np.arange(len(labels)), labels] += 3
            np.savez(run.path / "predictions" / f"{cell_name(name, seed)}.npz", probabilities=softmax(scores))
    start = time.perf_counter()
    leaderboard(Run.read(run.path))
    assert time.perf_counter() - start < 10


def test_a_report_is_written_of_such_a_run(fake):
    run = written(fake, sampled(np.random.default_rng(0), 3, {"none": 1, "oversample": 1, "vae": 3}))
    board = write_report(run.path)
    assert len(board) == 3
