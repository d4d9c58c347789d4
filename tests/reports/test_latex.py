"""The leaderboard as a table for a paper."""

from fillbench.reports.latex import latex
from fillbench.reports.leaderboard import leaderboard
from fillbench.reports.records import Run
from fillbench.tests.predicted import filled


def told(run):
    found = Run.read(run.path)
    return latex(found, leaderboard(found))


def test_every_finished_arm_is_a_row_of_a_booktabs_table(fake):
    run = filled(fake, {"none": [0.4] * 3, "smote": [0.6] * 3, "vae": [0.5] * 3}, classes=3)
    run.cell("vae", 0, status="failed", reason="no luck")
    lines = told(run).splitlines()
    start, end = lines.index(r"\midrule"), lines.index(r"\bottomrule")
    assert [line.split(" & ")[0] for line in lines[start + 1 : end]] == ["smote", "none"]
    assert all(line.count(" & ") == 5 and line.endswith(r"\\") for line in lines[start + 1 : end])
    assert lines[0].startswith("%")
    assert run.described["command"] in lines[1]


def test_names_are_escaped_and_a_command_of_several_lines_stays_a_comment(fake):
    run = filled(fake, {"none": [0.4] * 3, r"50%_a&b\x": [0.6] * 3}, classes=3).plan(
        command="benchmark run\n\\input{x}"
    )
    text = told(run)
    assert r"50\%\_a\&b\textbackslash x & " in text
    assert "\n\\input" not in text
    assert text.isascii()
