"""The pages over finished runs: what they show, and what no address can reach."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from fillbench import FillbenchError
from fillbench.tests.fake_run import FakeRun
from fillbench.tests.predicted import filled
from fillbench.tests.reporting import report_without_figures
from fillbench.web.app import create_app

ARMS = {"none": [0.3, 0.4, 0.3], "full": [0.9] * 3, "oversample": [0.5, 0.6, 0.5], "dcgan": [0.6, 0.7, 0.7]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "My Run"
    run = filled(lambda **options: FakeRun(path, **options), ARMS)
    report_without_figures(run.path)
    return run.path


@pytest.fixture(scope="module")
def page(folder):
    return TestClient(create_app([folder, folder]), base_url="http://localhost:8000")


def test_the_runs_are_listed_with_their_answers_and_ids_of_their_own(page):
    told = page.get("/").text
    assert '<a href="/runs/my-run">' in told
    assert '<a href="/runs/my-run-2">' in told
    assert "beside doing nothing" in told


def test_a_run_tells_its_answer_and_what_repeats_it(page):
    told = page.get("/runs/my-run").text
    assert "digits: filling the rare class 8" in told
    assert "benchmark run --generators all" in told


def test_a_report_is_shown_and_may_do_nothing_on_the_pages_behalf(page):
    answer = page.get("/runs/my-run/report")
    assert "<h1>digits" in answer.text
    assert "sandbox allow-scripts" in answer.headers["content-security-policy"]


def test_two_arms_stand_side_by_side_and_the_address_says_which(page):
    told = page.get("/runs/my-run/compare", params={"first": "oversample", "second": "dcgan"}).text
    assert "<h1>dcgan beside oversample</h1>" in told
    assert "<option selected>oversample</option>" in told
    for heading in ("Levels", "Recall by class", "What is taken for what", "Audits of class 8", "Samples of class 8"):
        assert f"<h2>{heading}" in told
    assert page.get("/runs/my-run/compare").text.count("<h1>dcgan beside none</h1>") == 1, "where none is named"


def test_an_arm_that_is_not_there_is_told_with_the_nearest(page):
    answer = page.get("/runs/my-run/compare", params={"first": "dcgam"})
    assert answer.status_code == 400
    assert "did you mean &#39;dcgan&#39;?" in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/runs/other",
        "/runs/..%2f..%2fetc%2fpasswd",
        "/runs/../../etc/passwd",
        "/runs/my-run/../../../etc/passwd",
        "/static/../app.py",
        "/static/..%2fapp.py",
        "/runs/my-run/report/../run.json",
        "/docs",
        "/openapi.json",
    ],
)
def test_no_address_reaches_what_is_not_shown(page, path):
    answer = page.get(path)
    assert answer.status_code == 404
    assert "root:" not in answer.text


def test_a_report_that_is_a_link_out_of_the_folder_is_not_shown(tmp_path, fake):
    run = filled(fake, {"none": [0.3] * 3, "dcgan": [0.6] * 3})
    secret = tmp_path / "secret.html"
    secret.write_text("secret")
    (run.path / "report.html").symlink_to(secret)
    page = TestClient(create_app([run.path]), base_url="http://localhost:8000")
    assert page.get(f"/runs/{run.path.name}/report").status_code == 404


def test_names_from_a_run_are_escaped_everywhere(fake):
    run = filled(fake, {"none": [0.3] * 3, "dcgan": [0.6] * 3}, classes=3)
    evil = "<script>alert(1)</script>"
    plan = run.described
    plan["dataset"]["class_names"][1], plan["dataset"]["name"], plan["command"] = evil, evil, evil
    run.plan(**plan)
    page = TestClient(create_app([run.path]), base_url="http://localhost:8000")
    for path in ("/", f"/runs/{run.path.name}", f"/runs/{run.path.name}/compare"):
        told = page.get(path).text
        assert evil not in told
        assert "&lt;script&gt;alert(1)" in told
        assert "<script" not in told


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(FillbenchError, match="is no run folder"):
        create_app([tmp_path])
