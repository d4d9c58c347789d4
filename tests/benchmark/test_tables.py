"""Tables go the whole way, from a CSV file to a report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import fillbench
from fillbench import FillbenchError
from fillbench.benchmark.audits import auditor_of
from fillbench.benchmark.audits.audit import identical
from fillbench.benchmark.export import export
from fillbench.benchmark.shelf import Shelf
from fillbench.datasets import load
from fillbench.datasets.frames import frame_of
from fillbench.datasets.tables import toy
from fillbench.generators import create
from fillbench.generators import load as load_generator
from fillbench.tests.quick import QUICK, flat
from fillbench.tests.runs import records


def csv_of(data, path):
    """A toy data set as a file."""
    frame_of(data, "class").to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    return {
        "dataset": f"csv:{csv_of(toy((240, 240), 3, 2, missing=True), folder / 'toys.csv')}",
        "target": "class",
        "minority": "class 1",
        "keep": 12,
        "seeds": 1,
        "set": {"classifier.iterations": 20},
        "cache": str(folder / "cache"),
    }


@pytest.fixture(scope="module")
def run(options, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "run"
    few = options["set"] | flat({name: few for name, few in QUICK.items() if load_generator(name).takes("tables")})
    board = fillbench.run(**options | {"generators": "all", "keep_models": True, "out": str(out), "set": few})
    assert set(board["status"]) == {"ok"}, board[["arm", "status", "reason"]]
    return out


def test_a_table_has_its_controls_and_generators(run):
    arms = set(pd.read_csv(run / "leaderboard.csv")["arm"])
    controls = {"class-balanced", "undersample", "tuned-threshold", "logit-adjustment"}
    assert {"none", "full", "oversample", *(f"none+{name}" for name in controls)} <= arms
    assert {"smote", "borderline-smote", "adasyn"} <= arms
    assert not {"dcgan", "classical"} & arms, "those are for images"


def test_oversampled_rows_are_flagged_as_copies_and_filled_ones_as_no_leaks(run):
    found = {name: record["audit"]["flags"] for name, record in records(run).items() if record["audit"]}
    assert "copies" in found["oversample-seed0"]
    assert not any("leaks" in flags for flags in found.values()), found


def test_the_report_shows_rows_under_the_names_of_their_columns(run):
    page = (run / "report.html").read_text()
    assert "number 0" in page
    assert "2 classes, 5 columns" in page
    assert any(f"<td>{name}</td>" in page for name in ("low", "mid", "high"))
    text = page[page.index("<body") : page.index("<script>")].replace("data:image", "").replace("max_megapixels", "")
    assert " image" not in text.lower()
    assert json.loads((run / "run.json").read_text())["dataset"]["columns"][3]["categories"] == ["high", "low", "mid"]


def test_generators_and_classifiers_are_kept(run):
    shelf = Shelf(run)
    made = shelf.generator("smote", seed=0).sample(1, 5)
    with np.load(run / "predictions" / "smote-seed0.npz", allow_pickle=False) as stored:
        assert stored["probabilities"].shape[2] == 2
    assert shelf.classifier("smote", seed=0).probabilities(made).shape == (5, 2)


def test_an_arm_is_handed_out_as_csv_files_that_can_be_read_again(run, tmp_path):
    export(run, "smote", 0, "csv", tmp_path / "out")
    real, added = (pd.read_csv(tmp_path / "out" / f"{part}.csv") for part in ("real", "added"))
    assert list(real.columns) == [*(f"number {spot}" for spot in range(3)), "sort 0", "sort 1", "class"]
    assert (real["class"] == "class 1").sum() == 12
    assert set(added["class"]) == {"class 1"}
    assert set(added["sort 0"].dropna()) <= {"low", "mid", "high"}
    again = load(f"csv:{tmp_path / 'out' / 'real.csv'}", tmp_path, target="class")
    assert [column.name for column in again.train.traits.columns] == list(real.columns[:-1])
    given_back = create("from-files", path=str(tmp_path / "out")).fit(again.train, [1])
    assert len(given_back.sample(1, len(added))) == len(added)
    with pytest.raises(FillbenchError, match="--format png is for images, not for rows"):
        export(run, "smote", 0, "png", tmp_path / "png")


def test_what_means_nothing_for_a_table_is_refused(options, tmp_path):
    for more, message in (
        ({"steps": 5}, "--steps has no meaning for rows"),
        ({"generators": "dcgan"}, "dcgan takes images, not rows|dcgan takes images, not tables"),
        ({"size": 8}, "--size is for"),
        ({"strategies": "mixup"}, "unknown strategy 'mixup'"),
        ({"classifier": "resnet18"}, "unknown classifier 'resnet18'"),
        ({"set": {"classifier.lr": 1}}, "the classifier has no setting 'lr'"),
        ({"set": {"classifier.tune": 2}}, "--set classifier.tune: give --tune instead"),
        (
            {"tune": 2, "tstr": True},
            "--tune is validated on the real rows of the rare classes, which --tstr leaves out",
        ),
        (
            {"dataset": "digits", "target": None, "minority": "8", "tune": 2, "set": {}},
            "--tune has no meaning for images",
        ),
    ):
        with pytest.raises(FillbenchError, match=message):
            fillbench.run(**{**options, "generators": "smote", "out": str(tmp_path / "run"), **more})
    assert not (tmp_path / "run").exists()


def test_every_arm_is_tuned_and_its_record_has_what_was_chosen(options, tmp_path):
    pytest.importorskip("optuna")
    out = tmp_path / "run"
    more = {"generators": "smote", "classifier": "logistic", "set": {}, "tune": 2, "seeds": 1, "out": str(out)}
    board = fillbench.run(**options | more)
    assert set(board["status"]) == {"ok"}, board[["arm", "status", "reason"]]
    found = {name: record["classifiers"][0]["facts"] for name, record in records(out).items()}
    assert {"none-seed0", "full-seed0", "smote-seed0", "none+undersample-seed0", "oversample-seed0"} <= found.keys()
    assert all(facts.keys() == {"C"} for facts in found.values()), found
    assert found["none-seed0"] == found["none+tuned-threshold-seed0"], "the threshold moves, and no setting with it"
    assert json.loads((out / "run.json").read_text())["classifier"]["tune"] == 2


@pytest.fixture(scope="module")
def built_in(tmp_path_factory):
    """A run on the built-in table, with a generator that cheats."""
    folder = tmp_path_factory.mktemp("built_in")
    fillbench.run(
        dataset="breast-cancer",
        generators="smote,trap-shuffled-column",
        plugin=[str(Path(__file__).parent.parent / "table_traps.py")],
        controls="none",
        seeds=1,
        set={"classifier.iterations": 10},
        cache=str(folder / "cache"),
        out=str(folder / "run"),
    )
    return folder / "run"


def test_a_preset_asks_of_the_built_in_table(built_in):
    assert set(pd.read_csv(built_in / "leaderboard.csv")["status"]) == {"ok"}
    assert json.loads((built_in / "run.json").read_text())["config"]["keep"]


def test_a_shuffled_column_is_flagged_and_its_figures_are_in_leaderboard_and_report(built_in):
    board = pd.read_csv(built_in / "leaderboard.csv").set_index("arm")
    assert "dependence lost" in board.loc["trap-shuffled-column", "flags"].split("; ")
    assert "dependence lost" not in board.loc["smote", "flags"]
    for figure in ("column_distance", "outside", "correlation_gap", "information_gap", "dependence", "detection"):
        assert 0 <= board.loc["smote", figure] <= 1
    page = (built_in / "report.html").read_text()
    for words in ("Column distance", "Detection", "Dependence lost", "Histograms of the columns"):
        assert words in page
    assert (built_in / "figures" / "columns.png").is_file()


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda x: x + np.array([3, 0, 0, 0], np.float32), "mean of number 0 far off"),
        (lambda x: x.mean(0) + (x - x.mean(0)) * np.array([1, 9, 1, 1], np.float32), "spread of number 1 far off"),
        (lambda x: x, None),
    ],
    ids=["shifted", "out of scale", "as it is"],
)
def test_a_column_far_from_the_real_one_is_told(spoil, told):
    data, other = toy((60, 60), 3, 1), toy((60, 60), 3, 1, seed=1)
    auditor = auditor_of("tables").of(data)
    found = auditor.off(auditor.describe(spoil(other.x)), auditor.describe(data.x))
    assert (told in found) if told else not found


def test_a_column_that_is_constant_within_a_class_is_not_far_off():
    data = toy((60, 60), 3, 1)
    own = data.of_class(1)
    own[:, 0] = 0.7
    auditor = auditor_of("tables").of(data)
    assert auditor.off(auditor.describe(own[:20]), auditor.describe(own)) == []


def rows_of(codes):
    return np.array([[code] for code in codes], np.float32)


def test_rows_that_real_ones_repeat_too_are_no_copies_and_no_leaks():
    kept, removed, test = rows_of([0, 1, 2]), rows_of([0, 1, 3, 4]), rows_of([0, 2, 3, 5])
    found = identical(rows_of([0, 1, 3, 9]), kept, removed, test)
    assert found["known_rate"] == 0.5
    assert found["known_real"] == 0.5, "0 and 1 of the removed, 0 and 2 of the test rows, of eight"
    assert found["unseen_rate"] == 0.25
    assert found["unseen_real"] == 0.25, "3 of the removed rows is a test row that is not kept"
    natural = identical(rows_of([0, 9]), rows_of([0, 0, 1, 2]), removed[:0], test)
    assert natural["unseen_real"] == 0.25, "2 of the kept rows is a test row that the others are not"


def test_test_rows_that_were_never_given_are_not_excused_by_kept_ones_that_repeat():
    found = identical(rows_of([2, 3]), rows_of([0, 1]), rows_of([0, 1] * 5), rows_of([0, 1, 2, 3]))
    assert (found["unseen_rate"], found["unseen_real"]) == (1, 0)


def test_rows_are_as_far_apart_as_their_columns():
    data = toy((60, 60), 2, 1)
    auditor = auditor_of("tables").of(data)
    row, scale = data.x[:1], data.x[:, 0].std()
    others = np.repeat(row, 3, axis=0)
    others[1, 0] += scale
    others[2, 2] = (others[2, 2] + 1) % 3
    device = torch.device("cpu")
    distances = auditor.distances(auditor.prepare(row, device), auditor.prepare(others, device))
    np.testing.assert_allclose(distances[0], [0, 1, 1], atol=1e-3)
