"""Sweeps: what is asked of them, what is refused, and that whatever points have in common is done once."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

import fillbench
from fillbench import FillbenchError, cli
from fillbench.benchmark import points
from fillbench.sweep_records import added_later, read_sweep
from fillbench.tests.runs import records

CANCER = {"dataset": "breast-cancer", "minority": "malignant", "generators": "smote,rose", "seeds": 3, "workers": 1}


def asked(over, pairs=False, **flags):
    return points.prepare({**CANCER, "keep": "10", **flags}, None, over, pairs)


def test_all_values_are_combined_or_with_pairs_side_by_side():
    over = ["fill=0.5,1", "smote.neighbours=3,5"]
    assert [list(point.at.values()) for point in asked(over).points] == [
        ["0.5", "3"],
        ["0.5", "5"],
        ["1.0", "3"],
        ["1.0", "5"],
    ]
    assert [list(point.at.values()) for point in asked(over, pairs=True).points] == [["0.5", "3"], ["1.0", "5"]]


def test_a_whole_number_among_shares_is_a_share_and_nothing_is_run_where_nothing_is_filled():
    found = asked(["fill=0,0.5,1,2"])
    assert [point.config.fill for point in found.points] == [0.5, 1.0, 2.0]
    assert found.unfilled == [{"fill": "0.0"}]
    gap = found.points[1].data.deficits[0]
    assert [point.data.deficits[0] for point in found.points] == [round(gap / 2), gap, 2 * gap]
    assert [point.config.keep for point in asked(["keep=10,20"]).points] == [10, 20]


def test_settings_of_a_point_stand_beside_those_of_all_points():
    given = {"smote.neighbours": 4, "rose": {"shrink": 0.5}}
    for flag in (given, ["smote.neighbours=4", "rose.shrink=0.5"]):
        first, second = asked({"smote.neighbours": [3, 5]}, set=flag).points
        assert (str(first.config.set["smote"]["neighbours"]), str(second.config.set["smote"]["neighbours"])) == (
            "3",
            "5",
        )
        assert float(first.config.set["rose"]["shrink"]) == 0.5


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ([], "a sweep goes over something"),
        (["fill"], "give different values, two or more"),
        (["fill=0.5"], "give different values, two or more"),
        (["fill=0,0.0"], "give different values, two or more"),
        (["keep=10,10"], "give different values, two or more"),
        (["=1,2"], "there is no such setting"),
        (["fil=0.5,1"], "did you mean 'fill'"),
        (["seeds=3,5"], "the same for the whole sweep; give --seeds once"),
        (["out=a,b"], "the same for the whole sweep"),
        (["fill=0.5,1", "fill=2,3"], "names a setting twice"),
        (["fill=0.5,much"], "at fill much: --fill 'much' will not do"),
        (["keep=10,9000"], "at keep 9000: --keep 9000 is more than the 159 examples"),
        (["smote.neighbors=3,5"], "at smote.neighbors 3: .*did you mean 'neighbours'"),
        (["fill=300,1000"], "300 and 1000 fill the same, 258 of a class"),
        (["fill=0.5,50"], "50 is a count, and others are shares"),
        (["keep=0.1,10"], "10 is a count, and others are shares"),
        (["fill=0.0001,1"], r"at fill 0\.0001: --fill 0\.0001 will not do: it comes to no example"),
        (["sensitivity=1,2"], "there is no such setting"),
        (["dataset=breast-cancer,digits"], r"at dataset digits: .*malignant"),
        (["smote.neighbours=3,x"], "at smote.neighbours x: .*valid integer"),
    ],
)
def test_what_cannot_be_swept_over_is_refused_with_its_point(over, message):
    with pytest.raises(FillbenchError, match=message):
        asked(over)


def test_what_belongs_to_a_run_only_is_refused():
    with pytest.raises(FillbenchError, match="a sweep takes no --sensitivity"):
        asked(["fill=0.5,1"], sensitivity=True)
    with pytest.raises(FillbenchError, match="0 cannot be one of --pairs"):
        asked(["fill=0,1.0", "keep=10,20"], pairs=True)


def rows_of(folder, *names):
    """Flags for a table with 40 rows of each class and 120 of another."""
    labels = [name for name in (*names, "c", "c", "c") for _ in range(40)]
    rows = "".join(f"{value},{label}\n" for value, label in enumerate(labels))
    (folder / "rows.csv").write_text(f"value,kind\n{rows}")
    return {"dataset": f"csv:{folder / 'rows.csv'}", "target": "kind", "minority": names[0]}


def test_only_amounts_are_numbers(tmp_path):
    flags = rows_of(tmp_path, "1", "2")
    for key, values in {"keep": range(10, 30, 10), "smote.neighbours": [3, 5]}.items():
        assert asked({key: values}, **flags).numbers == [key]
    for key, values in {"split-seed": [0, 1], "minority": [1, 2], "classifier": ["mlp", "logistic"]}.items():
        assert asked({key: values}, **flags).numbers == []


@pytest.mark.parametrize("names", [("猫", "狗"), ("a b", "a_b"), ("x" * 300 + "1", "x" * 300 + "2")])
def test_points_of_any_names_have_folders_of_their_own(names, tmp_path):
    first, second = asked({"minority": names}, **rows_of(tmp_path, *names)).points
    assert first.folder != second.folder
    assert all(point.folder.isascii() and len(point.folder) < 130 for point in (first, second))


def test_pairs_take_as_many_values_of_every_setting():
    with pytest.raises(FillbenchError, match="here there are 2 of keep, 3 of fill"):
        asked(["keep=10,20", "fill=0.5,1,2"], pairs=True)


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A sweep over how much is filled."""
    folder = tmp_path_factory.mktemp("swept")
    options = {**CANCER, "keep": 10, "classifier": "logistic", "cache": str(folder / "cache")}
    options["out"] = str(folder / "sweep")
    table = fillbench.sweep(over={"fill": [0, 0.5, 2.0]}, **options)
    return options, table


def test_every_point_is_a_run_and_shares_its_work_with_the_others(swept, tmp_path):
    options, table = swept
    out, store = Path(options["out"]), Path(options["cache"])
    assert table.attrs["run_dir"] == str(out)
    assert (table["status"].dropna() == "ok").all()
    assert len(list((store / "fits").glob("*/*"))) == 3 * 3, "one for each seed and generator"
    alone = {**options, "fill": 0.5, "out": str(tmp_path / "alone"), "cache": str(tmp_path / "cache")}
    fillbench.run(**alone)
    assert records(out / "points" / "fill=0.5") == records(alone["out"])
    own = {f"{arm}-seed{seed}" for arm in ("none", "full") for seed in range(3)}
    first, second = (records(out / "points" / f"fill={fill}", costs=True) for fill in ("0.5", "2.0"))
    assert {name: first[name] for name in own} == {name: second[name] for name in own}, "trained once"


def test_a_sweep_goes_on_takes_more_values_and_repeats_nothing(swept):
    options, _ = swept
    out = Path(options["out"])
    before = {path: path.read_bytes() for path in out.glob("points/*/cells/*.json")}
    table = fillbench.sweep(over={"fill": [0, 0.5, 1.0, 2.0]}, **options)
    assert {path: path.read_bytes() for path in before} == before
    assert set(table["fill"]) == {0.0, 0.5, 1.0, 2.0}
    assert added_later(read_sweep(out)) == {"fill": ["1.0"]}
    with pytest.raises(FillbenchError, match="has a sweep over fill, not over keep"):
        fillbench.sweep(over={"keep": [10, 20]}, **options)


def test_the_command_repeats_the_sweep(swept, tmp_path):
    options, _ = swept
    command = json.loads((Path(options["out"]) / "sweep.json").read_text())["command"]
    assert "--over fill=0.0,0.5" in command
    assert "--fill" not in command
    again = [*shlex.split(command)[1:], f"--cache={options['cache']}", f"--out={tmp_path / 'again'}"]
    assert CliRunner().invoke(cli.command, again).exit_code == 0
    for folder in (tmp_path / "again" / "points").iterdir():
        assert records(folder) == records(Path(options["out"]) / "points" / folder.name)
    told = CliRunner().invoke(cli.command, ["report", str(tmp_path / "again")])
    assert told.output.strip() == str(tmp_path / "again" / "sweep.html")
