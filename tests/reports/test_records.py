import json
import os

import numpy as np
import pytest

from fillbench.errors import FillbenchError
from fillbench.reports import write_report
from fillbench.reports.records import Run, as_float


def test_a_folder_without_run_json_is_refused(tmp_path):
    with pytest.raises(FillbenchError, match=r"is no run folder: it has no run\.json"):
        write_report(tmp_path)


def test_a_folder_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(FillbenchError, match="does not exist"):
        write_report(tmp_path / "nowhere")


def test_a_corrupt_cell_is_named_with_its_place(fake):
    run = fake().plan()
    (run.path / "cells" / "none-seed0.json").write_text('{"arm": "none",\n oops')
    with pytest.raises(FillbenchError, match=r"none-seed0\.json' is not valid JSON \(line 2, column 2"):
        write_report(run.path)


@pytest.mark.parametrize("text", ["[1, 2]", '{"seeds": [0]}', '{"seeds": [0], "arms": [{}], "dataset": {}}'])
def test_a_run_json_that_is_no_plan_is_refused(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(FillbenchError, match=r"run\.json"):
        write_report(tmp_path)


def test_a_cell_that_is_no_record_is_refused(fake):
    run = fake().plan()
    (run.path / "cells" / "none-seed0.json").write_text('{"arm": "none"}')
    with pytest.raises(FillbenchError, match="an earlier version, without a schema"):
        write_report(run.path)


def test_cells_that_the_run_does_not_plan_are_left_out(fake):
    run = fake(seeds=[0]).plan().cell("none", 0)
    run.cell("none", 5)
    stray = json.loads((run.path / "cells" / "none-seed0.json").read_text()) | {"arm": "old"}
    (run.path / "cells" / "old-seed0.json").write_text(json.dumps(stray))
    assert list(Run.read(run.path).records) == [("none", 0)]


def test_null_text_and_infinity_count_as_no_number():
    assert all(np.isnan(as_float(value)) for value in (None, "0.5", True, float("inf"), float("nan")))
    assert as_float(1) == 1.0


def test_samples_outside_the_run_directory_are_not_read(fake, tmp_path):
    np.savez(tmp_path / "elsewhere.npz", synthetic_8=np.zeros((2, 4, 4, 1), np.uint8))
    run = fake(seeds=[0]).plan().cell("dcgan", 0, samples="../elsewhere.npz")
    read = Run.read(run.path)
    assert read.samples(read.records["dcgan", 0]) == {}


def test_unreadable_samples_do_not_stop_the_report(fake):
    run = fake(seeds=[0]).plan().cell("none", 0).cell("dcgan", 0).cell("smote", 0, samples="samples/gone.npz")
    (run.path / "samples" / "dcgan-seed0.npz").write_bytes(b"PK not a zip")
    write_report(run.path)
    assert "No sample images were stored" in (run.path / "report.html").read_text()


def test_pickled_samples_are_not_loaded(fake):
    class Evil:
        def __reduce__(self):
            return os.mkdir, ("/tmp/fillbench-evil-was-here",)

    run = fake(seeds=[0]).plan().cell("dcgan", 0)
    np.savez(run.path / "samples" / "dcgan-seed0.npz", synthetic_8=np.array([Evil()], dtype=object))
    read = Run.read(run.path)
    assert read.samples(read.records["dcgan", 0]) == {}
    assert not os.path.exists("/tmp/fillbench-evil-was-here")


def test_damaged_predictions_are_told_and_missing_ones_give_no_estimates(fake):
    run = fake(seeds=[0, 1]).plan().cell("none", 0).cell("none", 1)
    file = run.path / "predictions" / "none-seed0.npz"
    file.write_bytes(b"PK not a zip")
    read = Run.read(run.path)
    with pytest.raises(FillbenchError, match=r"none-seed0\.npz' cannot be read .* delete it and repeat"):
        read.estimates(read.ok("none")[0])
    file.unlink()
    read = Run.read(run.path)
    assert [bool(read.estimates(record)) for record in read.ok("none")] == [False, True]


def test_predictions_of_another_test_set_are_told(fake):
    run = fake(seeds=[0]).plan().cell("none", 0)
    np.savez(run.path / "predictions" / "none-seed0.npz", probabilities=np.zeros((1, 7, 10), np.float32))
    read = Run.read(run.path)
    with pytest.raises(FillbenchError, match=r"it has the shape \(1, 7, 10\)"):
        read.estimates(read.ok("none")[0])


def test_estimates_are_those_of_the_predictions_over_all_classifiers(fake):
    run = fake(classes=2, minority=[1], seeds=[0]).plan().cell("none", 0)
    run.predict("none", 0, [np.array([[100, 0], [40, 60]]), np.array([[100, 0], [20, 80]])])
    read = Run.read(run.path)
    found = read.estimates(read.ok("none")[0])["minority_recall"]
    assert found.value == pytest.approx(0.7)
    assert found.influence.shape == (200,)


def test_decisions_are_those_of_the_thresholds_that_are_stored(fake):
    run = fake(classes=2, minority=[1], seeds=[0]).plan().cell("none", 0)
    record = Run.read(run.path).records["none", 0] | {"tstr": {"minority_recall": 0.5}}
    labels = np.repeat([0, 1], 100)
    probabilities = np.stack([np.where(labels, 0.7, 0.9), np.where(labels, 0.3, 0.1)], axis=1).astype(np.float32)
    file = run.path / "predictions" / "none-seed0.npz"
    plain = {"probabilities": np.stack([probabilities] * 2), "tstr": probabilities}
    moved = {"thresholds": np.array([[0.5, 0.5], [0.8, 0.2]]), "tstr_thresholds": np.array([0.8, 0.2])}
    recalls = []
    for stored in (plain, plain | moved):
        np.savez(file, **stored)
        read = Run.read(run.path)
        alone = read.tstr(record)
        recalls.append([*read.by_classifier(record, "minority_recall"), alone["minority_recall"].value])
        assert alone["brier"].value == pytest.approx(0.5)
    assert recalls == [[0, 0, 0], [0, 1, 1]]


@pytest.mark.parametrize("what", ["metrics", "audit"])
def test_a_record_that_lacks_what_run_json_promises_is_told(fake, what):
    run = fake(seeds=[0]).plan().cell("dcgan", 0)

    if what == "metrics":
        run.change("dcgan", 0, lambda record: record["metrics"].pop("auroc"))
    else:
        run.change("dcgan", 0, lambda record: record["audit"]["classes"]["8"].pop("kid"))
    with pytest.raises(FillbenchError, match=r"lacks (auroc|kid), which run\.json promises"):
        Run.read(run.path)


def test_floor_and_ceiling_are_what_the_record_says_whatever_their_names(fake):
    run = fake(seeds=[0], arms=[("bare", 0.4, ()), ("whole", 0.9, ())]).plan()
    plan = json.loads((run.path / "run.json").read_text())
    for arm, role in zip(plan["arms"], ("floor", "ceiling"), strict=True):
        arm["role"] = role
    run.plan(arms=plan["arms"])
    read = Run.read(run.path)
    assert (read.floor, read.ceiling) == ("bare", "whole")


def test_metrics_are_made_from_the_predictions_whatever_was_recorded(fake):
    run = fake(classes=2, minority=[1], seeds=[0, 1]).plan()
    plan = json.loads((run.path / "run.json").read_text())
    run.plan(metrics=[one for one in plan["metrics"] if one["name"] == "minority_recall"])
    for seed in run.seeds:
        run.cell("none", seed, metrics={"minority_recall": 0.1})
        run.predict("none", seed, [np.array([[100, 0], [40, 60]]), np.array([[100, 0], [20, 80]])])
    (run.path / "predictions" / "none-seed1.npz").unlink()
    read = Run.read(run.path)
    assert read.metric("none", "minority_recall") == {0: pytest.approx(0.7), 1: 0.1}
    assert read.metric("none", "rare_ap").keys() == {0}, "where there are no predictions, what was recorded"
    assert read.scores(read.records["none", 0])["confusion_matrix"] == [[200, 0], [60, 140]]
    assert {"rare_ap", "brier", "ece"} <= {one["name"] for one in read.metrics}


def test_a_class_without_test_examples_stops_no_report(fake):
    run = fake(classes=3, minority=[2], seeds=[0], arms=[("none", 0.4, ()), ("smote", 0.6, ())]).plan()
    dataset = run.described["dataset"]
    run.plan(dataset=dataset | {"test_labels": " ".join(["0"] * 100 + ["1"] * 100), "test_counts": [100, 100, 0]})
    for arm in run.table:
        run.cell(arm, 0)
        np.savez(run.path / "predictions" / f"{arm}-seed0.npz", probabilities=np.full((1, 200, 3), 1 / 3, np.float32))
    board = write_report(run.path)
    assert board["minority_recall_mean"].isna().all()
    assert (board["accuracy_mean"] == 0.5).all()
