"""Pages over kept models: classifying what a visitor brings, and generating."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartParser

from ..errors import FillbenchError
from . import generate
from .classify import classified, with_classifiers
from .guard import MOST_BYTES
from .library import OpenRun
from .pages import Pages
from .uploads import examples_in

MOST_FILES, MOST_ARMS = 20, 4
MultiPartParser.spool_max_size = MOST_BYTES  # what is uploaded stays in memory: Starlette would put 1 MB on the disk


def classify_pages(pages: Pages) -> APIRouter:
    """The routes of classifying."""
    router = APIRouter()

    @router.get("/runs/{run_id}/classify")
    def choose(run_id: str, test: int | None = None) -> HTMLResponse:
        one = pages.opened(run_id)
        names, arms = one.run.class_names, with_classifiers(one)
        tests = [(int(spot), names[label]) for label, (spots, _) in one.run.shown_tests().items() for spot in spots]
        found = [] if test is None else [_test_example(one, test, arms)]
        return pages.page("classify.html.j2", run=one.told, arms=arms, checked=MOST_ARMS, tests=tests, found=found)

    @router.post("/runs/{run_id}/classify")
    async def classify(run_id: str, request: Request) -> HTMLResponse:
        one = pages.opened(run_id)
        async with request.form(max_files=MOST_FILES, max_fields=100) as form:
            files = [file for file in form.getlist("file") if isinstance(file, UploadFile)]
            uploads = [(file.filename or "a file", await file.read()) for file in files]
            asked = [str(name) for name in form.getlist("arm")]
        found = await run_in_threadpool(_each_classified, one, asked, uploads)
        return pages.page("classified.html.j2", run=one.told, found=found)

    return router


def _each_classified(one: OpenRun, asked: list[str], uploads: list[tuple[str, bytes]]) -> list[dict[str, Any]]:
    """What the arms that were asked for make of each file; of one that will not do, why."""
    arms = with_classifiers(one)
    chosen = [arm for arm in arms if arm in asked] or arms[:MOST_ARMS]
    found: list[dict[str, Any]] = []
    for name, content in uploads:
        try:
            x = examples_in(one.run.run["kind"], content, name, one.run.dataset)
            found.append(classified(one, chosen, x, name))
        except FillbenchError as error:
            found.append({"name": name, "refused": str(error)})
    return found


def _test_example(one: OpenRun, test: int, arms: list[str]) -> dict[str, Any]:
    """What the arms make of a test example that the folder shows. Raises FillbenchError for another."""
    for label, (spots, x) in one.run.shown_tests().items():
        for own in x[spots == test]:
            return classified(one, arms, own[None], f"test {one.run.run['noun']} {test}", label)
    raise FillbenchError(f"test {one.run.run['noun']} {test} is not among those that this run shows")


def generate_pages(pages: Pages) -> APIRouter:
    """The routes of generating: a job at a time."""
    router, jobs = APIRouter(), generate.Jobs()

    @router.get("/runs/{run_id}/generate")
    def ask(run_id: str) -> HTMLResponse:
        one = pages.opened(run_id)
        arms = [arm for arm in one.run.arm_names if one.shelf.has_generator(arm, one.run.seeds[0])]
        classes = [(label, one.run.class_names[label]) for label in one.run.minority]
        return pages.page("generate.html.j2", run=one.told, arms=arms, classes=classes, most=generate.MOST)

    @router.post("/runs/{run_id}/generate")
    async def start(run_id: str, request: Request) -> Response:
        one = pages.opened(run_id)
        async with request.form(max_files=0, max_fields=10) as form:
            arm = one.arm(str(form.get("arm", "")), one.run.arm_names[-1])
            label, count, draw = (_whole(form, name) for name in ("label", "count", "seed"))
        job = jobs.start(one, arm, label, count, draw)
        return RedirectResponse(f"/jobs/{job.id}", 303)

    def job_of(job_id: str) -> generate.Job:
        if (job := jobs.get(job_id)) is None:
            raise HTTPException(404, "there is no such job; the server forgets them when it ends")
        return job

    @router.get("/jobs/{job_id}")
    def watch(job_id: str) -> HTMLResponse:
        job = job_of(job_id)
        return pages.page("job.html.j2", run=job.opened.told, **generate.shown(job))

    @router.post("/jobs/{job_id}/cancel")
    def cancel(job_id: str) -> Response:
        job_of(job_id).cancelled.set()
        return RedirectResponse(f"/jobs/{job_id}", 303)

    @router.get("/jobs/{job_id}/{form}")
    def download(job_id: str, form: str) -> Response:
        content, name = generate.as_file(job_of(job_id), form)
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(content, media_type="application/octet-stream", headers=headers)

    return router


def _whole(form: Any, name: str) -> int:
    text = str(form.get(name, ""))
    if not text.isdigit() or len(text) > 9:
        raise FillbenchError(f"{name} '{text}' will not do: give a whole number")
    return int(text)
