"""The pages, as an application of FastAPI."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import UploadFile

from ..errors import FillbenchError
from ..reports.html import TEMPLATES as REPORT_TEMPLATES
from ..reports.mistakes import leading_generator
from ..reports.words import answer, beyond_controls, cells_done, rare, standing
from . import generate
from .classify import classified, with_classifiers
from .compare import compared
from .guard import Guard
from .library import Library, OpenRun
from .play import missed
from .uploads import examples_in

MOST_FILES, MOST_ARMS = 20, 4
HERE = Path(__file__).parent
# A report has its styles and its script inside, and a policy of its own; it may do nothing on this page's behalf.
REPORT_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "sandbox allow-scripts; frame-ancestors 'none'"
)


def create_app(folders: Sequence[Path], names: Sequence[str] = (), token: str | None = None) -> FastAPI:
    """Pages over the runs in `folders`; `names` are those by which the page may be called besides localhost, `token`
    is what a browser has to know.

    Raises FillbenchError for a folder that holds no run.
    """
    library, jobs = Library(folders), generate.Jobs()
    app = FastAPI(title="fillbench", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Guard, names=names, token=token)

    @app.get("/static/report.css")
    def style() -> FileResponse:
        return FileResponse(REPORT_TEMPLATES / "report.css", media_type="text/css")

    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    environment = Environment(
        loader=ChoiceLoader([FileSystemLoader(HERE / "templates"), FileSystemLoader(REPORT_TEMPLATES)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def page(template: str, /, status: int = 200, **values: Any) -> HTMLResponse:
        return HTMLResponse(environment.get_template(template).render(**values), status)

    def opened(run_id: str) -> OpenRun:
        if run_id not in library.runs:
            raise HTTPException(404, "there is no such run")
        return library.runs[run_id]

    @app.exception_handler(FillbenchError)
    def told(request: Request, error: FillbenchError) -> HTMLResponse:
        return page("message.html.j2", 400, title="That will not do", text=str(error))

    @app.exception_handler(HTTPException)
    def missing(request: Request, error: HTTPException) -> HTMLResponse:
        return page("message.html.j2", error.status_code, title="Not here", text=error.detail)

    @app.get("/")
    def runs() -> HTMLResponse:
        return page("runs.html.j2", runs=[_told(one) for one in library.runs.values()])

    @app.get("/runs/{run_id}")
    def run(run_id: str) -> HTMLResponse:
        return page("run.html.j2", run=_told(opened(run_id)))

    @app.get("/runs/{run_id}/report")
    def report(run_id: str) -> Response:
        file = opened(run_id).report
        if file is None:
            raise HTTPException(404, "this run has no report.html; write it with: benchmark report RUN_DIR")
        return FileResponse(file, media_type="text/html", headers={"Content-Security-Policy": REPORT_POLICY})

    @app.get("/runs/{run_id}/compare")
    def compare(run_id: str, first: str | None = None, second: str | None = None) -> HTMLResponse:
        one = opened(run_id)
        names = one.run.arm_names
        pair = (
            one.arm(first, one.run.floor or names[0]),
            one.arm(second, leading_generator(one.run, one.board) or names[-1]),
        )
        return page("compare.html.j2", run=_told(one), arms=names, **compared(one, *pair))

    @app.get("/runs/{run_id}/classify")
    def choose(run_id: str, test: int | None = None) -> HTMLResponse:
        one = opened(run_id)
        arms = with_classifiers(one)
        tests = [(int(spot), label) for label, (spots, _) in one.run.shown_tests().items() for spot in spots]
        chosen = [] if test is None else [_test_example(one, test, arms)]
        return page("classify.html.j2", run=_told(one), arms=arms, tests=tests, names=one.run.class_names, found=chosen)

    @app.post("/runs/{run_id}/classify")
    async def classify(run_id: str, request: Request) -> HTMLResponse:
        one = opened(run_id)
        async with request.form(max_files=MOST_FILES, max_fields=100) as form:
            files = [file for file in form.getlist("file") if isinstance(file, UploadFile)]
            uploads = [(file.filename or "a file", await file.read()) for file in files]
            asked = [str(name) for name in form.getlist("arm")]
        return await run_in_threadpool(_classified, one, asked, uploads)

    def _classified(one: OpenRun, asked: list[str], uploads: list[tuple[str, bytes]]) -> HTMLResponse:
        arms = with_classifiers(one)
        chosen = [one.arm(name, name) for name in asked if name in arms] or arms[:MOST_ARMS]
        found: list[dict[str, Any]] = []
        for name, content in uploads:
            try:
                x = examples_in(one.run.run["kind"], content, name, one.run.dataset)
                found.append(classified(one, chosen, x, name))
            except FillbenchError as error:
                found.append({"name": name, "refused": str(error)})
        return page("classified.html.j2", run=_told(one), found=found)

    @app.get("/runs/{run_id}/play")
    def play(run_id: str) -> HTMLResponse:
        one = opened(run_id)
        return page("play.html.j2", run=_told(one), **missed(one))

    @app.get("/runs/{run_id}/generate")
    def ask(run_id: str) -> HTMLResponse:
        one = opened(run_id)
        seed, names = one.run.seeds[0], one.run.class_names
        arms = [arm for arm in one.run.arm_names if one.shelf.has_generator(arm, seed)]
        filled = [(label, names[label]) for label in one.run.minority]
        return page("generate.html.j2", run=_told(one), arms=arms, classes=filled, most=generate.MOST)

    @app.post("/runs/{run_id}/generate")
    async def start(run_id: str, request: Request) -> Response:
        one = opened(run_id)
        async with request.form(max_files=0, max_fields=10) as form:
            arm = one.arm(str(form.get("arm", "")), one.run.arm_names[-1])
            label, count, draw = (_whole(form, name) for name in ("label", "count", "seed"))
        judges = [name for name in (one.run.ceiling, arm) if name and one.shelf.has_classifier(name, one.run.seeds[0])]
        job = jobs.start(one, arm, label, count, draw, judges[0] if judges else None)
        return RedirectResponse(f"/jobs/{job.id}", 303)

    def job_of(job_id: str) -> generate.Job:
        if (job := jobs.get(job_id)) is None:
            raise HTTPException(404, "there is no such job; the server forgets them when it ends")
        return job

    @app.get("/jobs/{job_id}")
    def watch(job_id: str) -> HTMLResponse:
        job = job_of(job_id)
        return page("job.html.j2", run=_told(job.opened), **generate.shown(job))

    @app.post("/jobs/{job_id}/cancel")
    def cancel(job_id: str) -> Response:
        job_of(job_id).cancelled.set()
        return RedirectResponse(f"/jobs/{job_id}", 303)

    @app.get("/jobs/{job_id}/{form}")
    def download(job_id: str, form: str) -> Response:
        content, name = generate.as_file(job_of(job_id), form)
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(content, media_type="application/octet-stream", headers=headers)

    return app


def _whole(form: Any, name: str) -> int:
    text = str(form.get(name, ""))
    if not text.isdigit() or len(text) > 9:
        raise FillbenchError(f"{name} '{text}' will not do: give a whole number")
    return int(text)


def _test_example(one: OpenRun, test: int, arms: list[str]) -> dict[str, Any]:
    """What the arms make of a test example that the folder shows. Raises FillbenchError for another."""
    for label, (spots, x) in one.run.shown_tests().items():
        for own in x[spots == test]:
            return classified(one, arms, own[None], f"test {one.run.run['noun']} {test}", label)
    raise FillbenchError(f"test {one.run.run['noun']} {test} is not among those that this run shows")


def _told(opened: OpenRun) -> dict[str, Any]:
    """What every page says of a run."""
    run, board = opened.run, opened.board
    return {
        "id": opened.id,
        "name": f"{run.dataset['name']}: filling {rare(run)}",
        "folder": opened.path.name,
        "started": run.run["started"][:16].replace("T", " "),
        "answer": answer(run, board),
        "beyond": beyond_controls(run, board),
        "standing": standing(run, board),
        "cells": cells_done(run),
        "command": run.run["command"],
        "has_models": opened.has_models,
        "has_report": opened.report is not None,
        "noun": run.run["noun"],
        "plural": run.run["plural"],
        "floor": run.floor,
    }
