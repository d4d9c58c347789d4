"""Reports know no kind of data: what they say and show comes from run.json."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from fillbench.benchmark.audits.base import Limits
from fillbench.reports import figures, metrics, write_report
from fillbench.reports.estimates import Estimate
from fillbench.reports.previews import preview_of
from fillbench.tests.reporting import report_without_figures

TRAITS = SimpleNamespace(kind="points", noun="row", plural="rows")
AUDITOR = SimpleNamespace(
    space="columns",
    statistics=("mean", "std"),
    off_range="A mean far off",
    alike="",
    loosely="",
    limits=Limits(),
    figures=(),
    flags=(),
)


def text_of(page):
    return re.sub(r"<style>.*?</style>|<script>.*?</script>|data:image/png;base64,[^\"]+", "", page, flags=re.S)


@pytest.fixture
def rows(fake):
    run = fake(
        seeds=[0, 1], arms=[("none", 0.4, ()), ("full", 0.9, ()), ("smote", 0.6, ())], traits=TRAITS, auditor=AUDITOR
    )
    run.plan()
    for arm in run.table:
        for seed in run.seeds:
            run.cell(arm, seed)
    write_report(run.path)
    return run.path


def test_a_report_about_rows_speaks_of_rows(rows):
    page = text_of((rows / "report.html").read_text())
    for words in ("Audits of the synthetic rows", "Test rows", "share of all test rows", "Training rows by class"):
        assert words in page
    assert "Two numbers in a cell are in columns and in features" in page
    for text in (page, (rows / "leaderboard.md").read_text()):
        assert not re.findall(r"[^\n]*(?:image|pixel)[^\n]*", re.sub(r"<img[^>]*>", "", text), re.I)


def test_rows_are_shown_as_a_table_of_their_first_values(rows):
    page = text_of((rows / "report.html").read_text())
    assert not (rows / "figures" / "samples.png").exists()
    with np.load(rows / "samples" / "smote-seed0.npz") as stored:
        kept, nearest = stored["real_8"], stored["nearest_8"]
    assert page.count('<th scope="row">kept</th>') == page.count('<th scope="row">made</th>') == 3
    for value in (kept[0, 0], kept[2, 11], nearest[0, 3]):
        assert f"{value:.3g}".lstrip("-")[:4] in page
    assert f"{kept[0, 12]:.3f}" not in page


def test_the_columns_of_the_audits_are_those_that_run_json_names(fake):
    run = fake(seeds=[0], arms=[("none", 0.4, ()), ("smote", 0.6, ())]).plan()
    blur = run.audit["figures"][0] | {"name": "blur", "label": "Blur", "by_space": False, "note": "How blurred."}
    hidden = blur | {"name": "shade", "label": "Shade", "column": False}
    audit = run.audit | {"figures": [blur, hidden], "flags": [{"name": "hazy", "explanation": "Seen through fog."}]}
    run.plan(audit=audit)
    for arm in run.table:
        run.cell(arm, 0)
    run.change("smote", 0, lambda record: record["audit"]["classes"]["8"].update(blur=0.25, shade=0.75))
    board = report_without_figures(run.path)
    columns = list(board)
    assert columns[columns.index("classifier_variance_share") + 1 :] == ["blur", "flags", "reason"]
    assert board.set_index("arm").loc["smote", "blur"] == 0.25
    page = (run.path / "report.html").read_text()
    for words in ("Blur", "How blurred.", "Shade", "0.75", "Hazy", "Seen through fog."):
        assert words in page


def test_a_line_in_the_table_of_metrics_reaches_records_leaderboard_page_and_markdown(fake, monkeypatch):
    worst = metrics.Metric(
        "worst_error",
        "Worst error",
        "error of the worst class",
        lambda p: Estimate(1 - p.recall.min(), np.zeros(len(p.labels))),
        higher_is_better=False,
    )
    monkeypatch.setattr(metrics, "METRICS", (*metrics.METRICS, worst))
    monkeypatch.setattr("fillbench.reports.leaderboard.METRICS", metrics.METRICS)
    found = metrics.evaluate(np.eye(3, dtype=np.float32)[[0, 1, 2, 0]], np.array([0, 1, 2, 2]), [2])
    assert found["metrics"]["worst_error"] == 0.5
    run = (
        fake(seeds=[0], arms=[("none", 0.4, ()), ("smote", 0.6, ())]).plan().cell("none", 0, 0.4).cell("smote", 0, 0.6)
    )
    report_without_figures(run.path)
    assert pd.read_csv(run.path / "leaderboard.csv")["worst_error_mean"].tolist() == pytest.approx([0.4, 0.6])
    page = (run.path / "report.html").read_text()
    assert 'class="number lower"><button type="button" title="error of the worst class; lower is better">' in page
    head = (run.path / "leaderboard.md").read_text().split("| Arm |")[1].splitlines()[0]
    assert "| Worst error |" in head


def test_a_figure_that_enters_the_table_is_drawn_captioned_and_written(fake, monkeypatch):
    monkeypatch.setattr(figures, "FIGURES", dict(figures.FIGURES))
    monkeypatch.setattr("fillbench.reports.pictures.FIGURES", figures.FIGURES)
    monkeypatch.setattr("fillbench.reports.writing.FIGURES", figures.FIGURES)
    monkeypatch.setattr("fillbench.reports.html.FIGURES", figures.FIGURES)

    @figures.figure("dots", section="cost", alt="Dots of {plural}", caption="Nothing but dots against {floor}.")
    def dots(run, board, theme):
        from matplotlib.figure import Figure

        return Figure()

    run = fake(seeds=[0], arms=[("none", 0.4, ()), ("smote", 0.6, ())]).plan().cell("none", 0).cell("smote", 0)
    write_report(run.path)
    assert (run.path / "figures" / "dots.png").is_file()
    page = (run.path / "report.html").read_text()
    assert "Nothing but dots against none." in page
    assert 'alt="Dots of images"' in page


def test_a_figure_of_no_section_is_refused():
    with pytest.raises(ValueError, match="no section 'attic'"):
        figures.figure("dots", section="attic", alt="", caption="")


def test_every_text_of_a_figure_and_section_can_be_said(fake):
    from fillbench.reports.records import Run

    run = Run.read(fake(seeds=[0]).plan().path)
    texts = [section.title for section in figures.SECTIONS]
    texts += [text for plot in figures.FIGURES.values() for text in (plot.alt, plot.caption, plot.empty)]
    assert not [said for text in texts if "{" in (said := run.said(text))]
    assert run.said("{plural} of a class") == "Images of a class"


def test_warnings_of_the_reading_are_shown_at_the_top_of_page_and_markdown(fake):
    run = fake(seeds=[0], arms=[("none", 0.4, ())])
    dataset = run.plan().described["dataset"]
    run.plan(dataset=dataset | {"reading": {"warnings": ["3 rows stand on both sides."], "target": "sick"}})
    run.cell("none", 0)
    report_without_figures(run.path)
    page = (run.path / "report.html").read_text()
    assert '<p class="standing warn">3 rows stand on both sides.</p>' in page.split("<nav")[0]
    assert "<dt>target</dt><dd>sick</dd>" in page
    assert "3 rows stand on both sides." in (run.path / "leaderboard.md").read_text().split("| Arm")[0]


def test_facts_of_generator_and_classifier_stand_with_the_settings(fake):
    run = fake(seeds=[0], arms=[("none", 0.4, ()), ("dcgan", 0.6, ("loss",))]).plan().cell("none", 0)
    run.cell("dcgan", 0, generator_facts={"kept_modes": 3})
    report_without_figures(run.path)
    page = (run.path / "report.html").read_text()
    assert 'title="steps = 500, kept_modes = 3, classifier.precision = float32"' in page


@pytest.mark.parametrize(
    ("kind", "x", "can"),
    [
        ("images", np.zeros((2, 4, 4, 1), np.uint8), True),
        ("images", np.zeros((2, 4, 4, 2), np.uint8), False),
        ("images", np.zeros((2, 4), np.float32), False),
        ("series", np.zeros((2, 4, 3), np.float32), True),
        ("points", np.zeros((0, 4), np.float32), False),
        ("points", np.array([["a"]]), False),
    ],
)
def test_a_preview_shows_what_it_understands(kind, x, can):
    assert preview_of(kind).can_show(x) == can


def test_a_flag_of_which_nothing_can_be_told_is_named_in_the_audits(fake):
    run = fake(seeds=[0], arms=[("none", 0.4, ()), ("smote", 0.6, ())]).plan()
    for arm in run.table:
        run.cell(arm, 0)
    run.change("smote", 0, lambda record: record["audit"]["classes"]["8"].update(cannot_tell=["wrong label"]))
    report_without_figures(run.path)
    assert "wrong label: cannot tell" in (run.path / "report.html").read_text()
