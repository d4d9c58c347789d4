"""Pages over kept models: classifying what is uploaded, generating, and what the floor misses."""

from __future__ import annotations

import io
import re
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

import fillbench
from fillbench.tests.web.kept_run import make_kept_run, png
from fillbench.web.app import create_app
from fillbench.web.generate import Job, shown
from fillbench.web.library import Library

HOST = "http://localhost:8000"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_kept_run(tmp_path_factory.mktemp("kept"))


@pytest.fixture(scope="module")
def page(folder):
    return TestClient(create_app([folder]), base_url=HOST)


def upload(page, *files, arms=("none", "dcgan")):
    return page.post("/runs/mine/classify", files=[("file", file) for file in files], data={"arm": list(arms)})


def test_from_python_what_was_kept_generates_and_classifies(folder):
    kept = fillbench.open(folder)
    images = kept.generator("dcgan").sample(label=8, count=3)
    classifier = kept.classifier("none")
    np.testing.assert_array_equal(classifier.predict(images), classifier.probabilities(images).argmax(1))


def test_files_of_any_size_and_colour_are_classified_by_every_arm_side_by_side(page):
    told = upload(page, ("grey.png", png(mode="L")), ("colour.jpg", png()), ("clear.png", png(mode="RGBA"))).text
    for name in ("grey.png", "colour.jpg", "clear.png"):
        assert f"<h2>{name}</h2>" in told
    assert told.count('<th scope="row">none</th>') == told.count('<th scope="row">dcgan</th>') == 3
    assert '<th scope="row">smote</th>' not in told, "it was not asked for"
    assert told.count("data:image/png;base64,") == 3, "what the classifiers see"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("cut.png", png()[:400], "is not an image that can be read"),
        ("notes.txt", b"no image", "is not an image that can be read"),
        ("empty.png", b"", "is empty"),
        ("<b>evil</b>.png", b"no image", "&lt;b&gt;evil&lt;/b&gt;.png"),
        ("../../etc/passwd", b"no image", "is not an image that can be read"),
    ],
)
def test_what_is_no_image_is_told_and_the_others_are_classified(page, name, content, message):
    told = upload(page, (name, content), ("fine.png", png()))
    assert told.status_code == 200
    assert message in told.text
    assert "<b>evil" not in told.text
    assert "<h2>fine.png</h2>" in told.text


def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(page):
    file = io.BytesIO()
    Image.new("L", (8000, 7000)).save(file, "png")
    assert "has 56.0 megapixels; at most 24 are read" in upload(page, ("large.png", file.getvalue())).text


def test_what_is_uploaded_is_never_written(page, monkeypatch):
    written = []
    monkeypatch.setattr("tempfile.SpooledTemporaryFile.rollover", lambda file: written.append(file))
    large = png((900, 900, 3))
    assert len(large) > 2**21
    assert "<h2>large.png</h2>" in upload(page, ("large.png", large)).text
    assert not written


def test_sixty_uploads_at_once_are_all_answered(page):
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda index: upload(page, (f"{index}.png", png())), range(60)))
    assert {answer.status_code for answer in answers} == {200}


def test_no_file_and_too_many_files_are_told(page):
    assert "No file was given" in page.post("/runs/mine/classify", data={"arm": "none"}).text
    assert upload(page, *[(f"{index}.png", png()) for index in range(30)]).status_code == 400


def test_a_test_example_is_classified_and_its_class_is_told(page, folder):
    spot = int(np.load(folder / "samples" / "test.npz")["index_8"][0])
    told = page.get("/runs/mine/classify", params={"test": spot}).text
    assert f"<h2>test image {spot}</h2>" in told
    assert "It is of class <em>8</em>" in told
    assert page.get("/runs/mine/classify", params={"test": 10**6}).status_code == 400


def test_what_the_floor_misses_is_shown_with_what_every_arm_says(page):
    told = page.get("/runs/mine/play").text
    assert "What none misses" in told
    assert "/runs/mine/classify?test=" in told


def generate(page, **form):
    asked = {"arm": "smote", "label": "8", "count": "12", "seed": "3", **form}
    return page.post("/runs/mine/generate", data=asked, follow_redirects=False)


def finished(page, answer):
    assert answer.status_code == 303, answer.text
    for _ in range(300):
        told = page.get(answer.headers["location"]).text
        if "http-equiv" not in told:
            return told
        time.sleep(0.1)
    raise AssertionError("it does not end")


def test_images_are_made_shown_and_handed_out_and_the_same_seed_makes_the_same(page):
    files = []
    for seed in ("3", "3", "4"):
        told = finished(page, generate(page, seed=seed))
        assert "12 of 12: 12 made" in told
        assert "The classifier of full takes them for:" in told
        job = re.search(r"/jobs/(\w+)/npy", told)[1]
        files.append(np.load(io.BytesIO(page.get(f"/jobs/{job}/npy").content)))
    assert files[0].shape == (12, 8, 8, 1)
    np.testing.assert_array_equal(files[0], files[1])
    assert (files[0] != files[2]).any()
    assert len(zipfile.ZipFile(io.BytesIO(page.get(f"/jobs/{job}/png").content)).namelist()) == 12
    assert page.get(f"/jobs/{job}/csv").status_code == 400


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"count": "9999"}, "ask for 1 to 64"),
        ({"count": "many"}, "give a whole number"),
        ({"label": "77"}, "there is no class 77"),
        ({"arm": "none"}, "the generator of none was not kept"),
        ({"arm": "dcgam"}, "did you mean"),
    ],
)
def test_what_cannot_be_generated_is_told(page, form, message):
    answer = generate(page, **form)
    assert answer.status_code == 400
    assert message in answer.text


def test_one_job_runs_at_a_time_and_can_be_called_off(page, monkeypatch):
    slow = fillbench.generators.load("dcgan")
    sample = slow._sample

    def slowly(self, label, count):
        for _ in range(100):
            time.sleep(0.05)
            self.progress(0, 1)
        return sample(self, label, count)

    monkeypatch.setattr(slow, "_sample", slowly)
    first = generate(page, arm="dcgan")
    second = generate(page)
    assert second.status_code == 400
    assert "another generation is running" in second.text
    page.post(f"{first.headers['location']}/cancel")
    assert ": cancelled" in finished(page, first)
    monkeypatch.undo()
    assert "12 made" in finished(page, generate(page))


def test_a_page_that_was_begun_before_the_last_part_came_does_not_call_the_job_done(folder):
    job = Job("0", Library([folder]).runs["mine"], "smote", 8, 2, 0, None)
    image = np.zeros((1, 8, 8, 1), np.uint8)

    class Ending(list):
        """Parts of which the last comes, and ends the job, right after they were looked at."""

        def __iter__(self):
            yield from super().__iter__()
            job.made, job.nearest, job.done = [image, image], [image, image], True

    job.made, job.nearest = Ending([image]), [image]
    first, second = shown(job), shown(job)
    assert (first["there"], first["done"]) == (1, False)
    assert (second["there"], second["done"]) == (2, True)


def test_a_job_that_is_not_there_is_told(page):
    assert page.get("/jobs/0123").status_code == 404
