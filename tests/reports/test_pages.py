import re
import struct
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from fillbench.reports import write_report
from fillbench.reports.markdown import escaped
from fillbench.reports.metrics import METRICS
from fillbench.reports.pictures import FIGURES
from fillbench.tests.reporting import report_without_figures

DRAWN = set(FIGURES) - {"columns"}  # images have none


class Page(HTMLParser):
    """Collects tags, attributes and text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def page(default_run):
    return Page((default_run[0] / "report.html").read_text())


def test_every_figure_is_written_as_png(default_run):
    path, _ = default_run
    names = {file.stem for file in (path / "figures").iterdir()}
    assert names == DRAWN | {"samples"}
    for file in (path / "figures").iterdir():
        assert file.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_every_picture_has_a_light_and_a_dark_variant_inside_the_page(page):
    pictures, sources = page.all("picture"), page.all("source")
    assert len(pictures) == len(sources) == len(DRAWN)
    assert all(source["media"] == "(prefers-color-scheme: dark)" for source in sources)
    assert all(source["srcset"].startswith("data:image/png;base64,") for source in sources)
    assert {image["src"] for image in page.all("img")}.isdisjoint(source["srcset"] for source in sources)


def test_every_image_has_an_alternative_text(page):
    assert len(page.all("img")) > len(DRAWN)
    assert all(image["alt"] for image in page.all("img"))


def test_the_page_fetches_nothing(default_run, page):
    for _, attributes in page.tags:
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            assert attributes.get(name, "#").startswith(("#", "data:image/png;base64,"))
    text = (default_run[0] / "report.html").read_text()
    assert not re.search(r"@import|url\(|https?://|fetch\(|XMLHttpRequest", text)
    assert not page.all("link")


def test_the_page_forbids_itself_all_but_its_own_script(page):
    policy = next(meta["content"] for meta in page.all("meta") if "http-equiv" in meta)
    assert "default-src 'none'" in policy
    assert "script-src 'sha256-" in policy


def test_the_page_stays_small(default_run):
    assert (default_run[0] / "report.html").stat().st_size < 6_000_000


def test_no_temporary_file_is_left(default_run):
    assert not [file for file in default_run[0].rglob("*") if file.name.startswith(".")]


def test_the_leaderboard_can_be_sorted_by_keyboard(page):
    heads = [attributes for tag, attributes in page.tags if tag == "th" and "aria-sort" in attributes]
    assert [head["aria-sort"] for head in heads].count("descending") == 1
    assert len(page.all("button")) == len(heads)


def test_traceback_phase_and_reason_of_a_failure_are_shown(page):
    text = "".join(page.words)
    assert "Seed 1, failed in fit: loss became NaN at step 120" in text
    assert "ValueError: <NaN>" in text
    assert "Seeds 0, 1, 2, skipped: weights are not in the cache" in text


def test_command_versions_hardware_and_manifests_are_shown(page):
    text = "".join(page.words)
    for part in ("benchmark run --generators all", "1.0.20", "Some CPU", "ab12cd34" * 8, "9f2c" * 16):
        assert part in text


def test_a_flagged_arm_is_marked_wherever_it_stands(default_run, page):
    assert page.words.count("collapsed") == 2, "in the leaderboard and in the audits"
    warning = "Flagged by the audits: collapsed (wgan-gp), off range (wgan-gp)."
    assert warning in page.words
    told = (default_run[0] / "leaderboard.md").read_text()
    assert warning in told
    assert "| wgan-gp (collapsed, off range) |" in told
    assert "stable-diffusion (external data)" in told


def test_every_verdict_can_be_quoted(page):
    sentences = [text for text in page.words if text.startswith("ddpm helps beside doing nothing: ")]
    assert len(sentences) == 1
    assert "balanced accuracy +0." in sentences[0]
    assert "beside every control: " in sentences[0]
    (flagged,) = [text for text in page.words if text.startswith("wgan-gp") and "beside doing nothing: " in text]
    assert flagged.endswith("Flagged: collapsed, off range.")


def test_audits_name_who_looked_and_show_the_real_images_beside(page):
    text = " ".join(page.words)
    assert "the features are those of: independent resnet18" in text
    assert "8, real" in page.words
    assert "0.04 / 0.06" in page.words
    assert "0 (6%)" in page.words


def test_samples_have_the_nearest_kept_images_below(page):
    near = [image for image in page.all("img") if image["alt"].endswith("class 8: nearest")]
    assert len(near) == 11


def test_reports_of_the_same_records_are_the_same_bytes(fake):
    run = fake(seeds=[0]).plan().cell("none", 0).cell("dcgan", 0)
    write_report(run.path)
    files = [*(run.path / "figures").iterdir(), run.path / "report.html", run.path / "leaderboard.md"]
    first = [file.read_bytes() for file in files]
    write_report(run.path)
    assert [file.read_bytes() for file in files] == first


EVIL = [
    "a|b",
    "<b>bold</b>",
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "$x^2$",
    "a\nb",
]


def test_evil_names_break_neither_page_nor_table_nor_figure(fake):
    run = fake(classes=6, minority=[1, 2], arms=[("none", 0.4, ()), ("x", 0.6, ("a_loss",))])
    run.names = EVIL
    run.plan(command="benchmark `run` ``` </pre><b>")
    for arm in run.table:
        for seed in run.seeds:
            run.cell(arm, seed)
    run.broken("x", 2, reason="<i>|bad|</i>\n| new row |")
    write_report(run.path)
    page = Page((run.path / "report.html").read_text())
    assert len(page.all("script")) == 1
    assert not [attributes for _, attributes in page.tags if "onerror" in attributes]
    assert not page.all("i")
    table = [line for line in (run.path / "leaderboard.md").read_text().splitlines() if line.startswith("|")]
    assert len(table) == 4
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {8 + len(METRICS)}
    assert "<b>" not in (run.path / "leaderboard.md").read_text().split("## Repeat")[0]


def test_markdown_text_is_one_plain_line():
    assert escaped("a|b\n<i>*x*</i>") == r"a\|b &lt;i&gt;\*x\*&lt;/i&gt;"
    assert escaped("snake_case") == "snake_case"
    assert escaped("_both_") == r"\_both\_"


def test_a_command_with_backticks_stays_in_its_fence(fake):
    run = fake(seeds=[0]).plan(command="benchmark run ```x").cell("none", 0)
    report_without_figures(run.path)
    assert "````sh\nbenchmark run ```x\n````" in (run.path / "leaderboard.md").read_text()


def test_null_numbers_become_dashes(fake):
    run = fake(arms=[("none", 0.4, ()), ("x", 0.6, ())]).plan()
    for seed in run.seeds:
        metrics = {metric.name: None for metric in METRICS} | {"minority_recall": 0.4}
        run.cell("none", seed, metrics=metrics, curve=[], audit=None, cost=None)
        (run.path / "predictions" / f"none-seed{seed}.npz").unlink()
        run.cell("x", seed)
    board = write_report(run.path).set_index("arm")
    assert board.loc["none", "auroc_mean"] != board.loc["none", "auroc_mean"]
    assert board.loc["none", "minority_recall_mean"] == pytest.approx(0.4)
    assert "nan" not in "".join(Page((run.path / "report.html").read_text()).words).lower()


def test_a_run_of_failures_only_is_reported_without_figures(fake):
    run = fake().plan()
    for arm in run.table:
        for seed in run.seeds:
            run.broken(arm, seed)
    board = write_report(run.path)
    assert set(board["status"]) == {"failed"}
    assert not list((run.path / "figures").iterdir())
    text = (run.path / "report.html").read_text()
    assert "No generator finished" in text
    assert "<picture>" not in text


def test_a_run_with_no_cell_yet_is_reported(fake):
    board = write_report(fake().plan().path)
    assert set(board["status"]) == {"incomplete"}


def test_figures_of_an_earlier_report_do_not_outlive_their_data(fake):
    run = fake(seeds=[0]).plan().cell("none", 0).cell("dcgan", 0)
    write_report(run.path)
    assert (run.path / "figures" / "generator-losses.png").exists()
    run.cell("dcgan", 0, generator_log=[])
    write_report(run.path)
    assert not (run.path / "figures" / "generator-losses.png").exists()


def test_colour_images_larger_than_the_page_needs_are_shrunk(fake, tmp_path):
    import numpy as np

    run = fake(seeds=[0]).plan().cell("none", 0).cell("dcgan", 0)
    images = np.random.default_rng(0).integers(0, 256, (8, 224, 200, 3), dtype=np.uint8)
    np.savez(run.path / "samples" / "dcgan-seed0.npz", real_8=images, synthetic_8=images[:3], nearest_8=images[:3])
    write_report(run.path)
    assert (run.path / "report.html").stat().st_size < 2_000_000
    head = (run.path / "figures" / "samples.png").read_bytes()[16:24]
    assert min(struct.unpack(">II", head)) > 50


def test_two_classes_and_two_arms_work(fake):
    run = fake(classes=2, minority=[1], arms=[("none", 0.4, ()), ("x", 0.6, ())]).plan()
    for arm in run.table:
        for seed in run.seeds:
            run.cell(arm, seed)
    write_report(run.path)
    assert (run.path / "figures" / "confusion-change.png").exists()


@pytest.mark.slow
def test_a_hundred_classes_by_fourteen_arms_work(fake):
    run = fake(classes=100, minority=list(range(70, 100)), side=32).default()
    write_report(run.path)
    assert (run.path / "report.html").stat().st_size < 8_000_000


def test_reports_import_no_model_and_no_loader():
    code = (
        "import sys, fillbench.reports.writing\n"
        "bad = {'torch', 'timm', 'matplotlib', 'fillbench.datasets'} & set(sys.modules)\n"
        "sys.exit(str(bad) if bad else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
