"""What a report says of the leading arms and the controls at other learning rates and steps."""

from __future__ import annotations

import json
import shutil

import pytest

from fillbench.reports.leaderboard import leaderboard
from fillbench.reports.records import Run
from fillbench.reports.sensitivity import LEADING, MOST_TOLD, VARIANTS, sensitivity, trained_again
from fillbench.reports.verdicts import verdicts
from fillbench.tests.reporting import report_without_figures

from ..fake_run import FakeRun

LEVELS = {"none": 0.2, "full": 0.9, "oversample": 0.3, "ddpm": 0.8, "dcgan": 0.6, "smote": 0.5, "vae": 0.4}
LEVELS["stable-diffusion"] = 0.95
AGAIN = ["none", "full", "oversample", "ddpm", "dcgan", "smote"]


def made(path, names, seeds=(0, 1, 2), **levels):
    """A run in which the arms reach about these recalls."""
    run = FakeRun(path, seeds=seeds, arms=[(name, LEVELS[name], ()) for name in names]).plan()
    for name in names:
        for seed in seeds:
            run.cell(name, seed, levels.get(name, LEVELS[name]) + 0.01 * seed)
    return run


def variant(path, name, **changes):
    return made(path / "sensitivity" / name, **{"names": AGAIN, **changes})


def found(path):
    run = Run.read(path)
    return sensitivity(run, leaderboard(run))


@pytest.fixture
def path(tmp_path):
    return made(tmp_path / "run", LEVELS).path


def test_what_is_trained_again_is_references_controls_and_the_three_that_know_most_without_external_data(path):
    run = Run.read(path)
    assert trained_again(run, leaderboard(run)) == AGAIN
    assert len(AGAIN) == 3 + LEADING


def test_an_arm_of_which_a_seed_failed_is_not_trained_again(tmp_path):
    run = made(tmp_path / "run", LEVELS)
    run.broken("ddpm", 1)
    read = Run.read(run.path)
    assert trained_again(read, leaderboard(read)) == ["none", "full", "oversample", "dcgan", "smote", "vae"]


def test_without_an_arm_on_trial_nothing_is_trained_again(tmp_path):
    run = Run.read(made(tmp_path / "run", ["none", "full", "oversample"]).path)
    assert trained_again(run, leaderboard(run)) == []


def test_where_no_verdict_changes_the_sentence_says_of_which_arms(path):
    for name in VARIANTS:
        variant(path, name)
    said = found(path)
    assert said.sentence == (
        "Halving or doubling the learning rate or the steps changes no verdict of ddpm, dcgan, smote and oversample."
    )
    assert [(row.arm, row.base) for row in said.rows][:2] == [("ddpm", "none"), ("ddpm", "controls")]
    assert not any(told.changed for row in said.rows for told in row.told.values())


def test_a_verdict_that_changes_is_named_and_marked_in_both_reports(path):
    for name in VARIANTS:
        variant(path, name, **({"smote": LEVELS["none"]} if name == "steps-half" else {}))
    said = found(path)
    (row,) = [row for row in said.rows if (row.arm, row.base) == ("smote", "none")]
    assert row.verdict == "helps"
    assert {name: told.changed for name, told in row.told.items()} == {name: name == "steps-half" for name in VARIANTS}
    other = row.told["steps-half"].words
    assert "smote" in said.sentence
    assert said.sentence.startswith("Halving or doubling the learning rate or the steps changes ")
    report_without_figures(path)
    section = (path / "leaderboard.md").read_text().partition("## Sensitivity")[2]
    assert f"| smote | none | helps | helps | helps | **{other}** | helps |" in section
    page = (path / "report.html").read_text()
    assert said.sentence in page
    assert f'<b class="tag warn">{other}</b>' in page


def test_of_many_changes_the_sentence_names_the_arms(path):
    for name in VARIANTS:
        variant(path, name, smote=LEVELS["none"])
    said = found(path)
    count = sum(bool(told.changed) for row in said.rows for told in row.told.values())
    assert count > MOST_TOLD
    assert f" changes {count} of 28 verdicts, of " in said.sentence
    assert "helps" not in said.sentence


def test_the_verdicts_of_the_run_are_made_again_as_if_it_had_no_other_arms(path, tmp_path):
    """Else a verdict could change because it is corrected over fewer arms."""
    alone = shutil.copytree(path, tmp_path / "alone")
    about = json.loads((alone / "run.json").read_text())
    arms = [arm for arm in about["arms"] if arm["name"] in AGAIN]
    (alone / "run.json").write_text(json.dumps({**about, "arms": arms}))
    run = Run.read(path)
    assert verdicts(run.only(AGAIN)) == verdicts(Run.read(alone)) != verdicts(run)


def test_a_variant_counts_only_when_it_is_done_with_the_seeds_and_arms_of_the_run(path):
    assert found(path) is None
    variant(path, "lr-half")
    unfinished = variant(path, "lr-double")
    (unfinished.path / "cells" / "smote-seed2.json").unlink()
    variant(path, "steps-half", seeds=(0, 1, 2, 3))
    variant(path, "steps-double", names=AGAIN[:-1])
    said = found(path)
    assert said.heads == ["half the learning rate"]
    assert said.sentence.startswith("Training with half the learning rate changes no verdict of ddpm")
    assert said.sentence.endswith("Not done yet: twice the learning rate, half the steps and twice the steps.")


def test_where_a_seed_failed_the_table_says_so_in_the_place_of_a_verdict(path):
    for name in VARIANTS:
        again = variant(path, name)
        if name == "lr-double":
            again.broken("dcgan", 1, reason="the classifier's loss is nan at step 3")
    said = found(path)
    assert [row.told["lr-double"] for row in said.rows if row.arm == "dcgan"] == [("seed 1 failed", None)] * 2
    assert said.sentence.endswith("2 verdicts are not there to compare: not every seed went well.")


def test_a_report_of_a_run_that_was_not_asked_says_how_to_ask(path):
    report_without_figures(path)
    assert "## Sensitivity" not in (path / "leaderboard.md").read_text()
    assert "Nothing was trained again: <code>--sensitivity</code>" in (path / "report.html").read_text()
    assert "sensitivity" not in json.loads((path / "run.json").read_text())["config"]
