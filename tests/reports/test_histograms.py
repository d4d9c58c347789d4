"""Columns of tables as histograms, from the records alone."""

import pytest

from fillbench.reports import write_report
from fillbench.reports.histograms import columns
from fillbench.reports.leaderboard import leaderboard
from fillbench.reports.records import Run
from fillbench.reports.theme import LIGHT

AGE = {"column": "age", "distance": 0.42, "ends": [18.0, 90.5], "made": [0.0, 0.25, 0.75], "real": [0.5, 0.25, 0.25]}
SORT = {"column": "sort of tree", "distance": 0.1, "ends": ["oak", "missing"], "made": [1.0, 0.0], "real": [0.9, 0.1]}


@pytest.fixture
def table(fake):
    run = fake(seeds=[0], arms=[("none", 0.4, ()), ("smote", 0.6, ()), ("gan", 0.5, ())], minority=[7, 8]).plan()
    for arm in run.table:
        run.cell(arm, 0)
    for arm in ("smote", "gan"):
        run.change(arm, 0, lambda record: record["audit"]["classes"]["8"].update(histograms=[AGE, SORT]))
    return run.path


def test_each_arm_and_class_shows_the_columns_that_its_record_holds(table):
    run = Run.read(table)
    sheet = columns(run, leaderboard(run), LIGHT)
    (axis,) = sheet.axes
    assert [text.get_text() for text in axis.get_yticklabels()] == ["smote, 8", "gan, 8"]
    told = [text.get_text() for text in axis.texts]
    assert told[:6] == ["age  0.42", "18.0", "90.5", "sort of tree  0.10", "oak", "missing"]
    assert len(axis.patches) == 8, "real and synthetic of two columns and two arms"


def test_the_figure_is_on_the_page_where_there_are_histograms_only(table, fake):
    write_report(table)
    assert (table / "figures" / "columns.png").is_file()
    caption = "The columns in which the synthetic images of an arm (line) differ most"
    assert caption in (table / "report.html").read_text()
    run = Run.read(table)
    for record in run.records.values():
        for entry in (record["audit"] or {"classes": {}})["classes"].values():
            entry.pop("histograms", None)
    assert columns(run, leaderboard(run), LIGHT) is None
