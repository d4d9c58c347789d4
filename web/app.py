"""The pages, as an application of FastAPI."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse, Response
from fastapi.staticfiles import StaticFiles
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined

from ..errors import FillbenchError
from ..reports.html import TEMPLATES as REPORT_TEMPLATES
from ..reports.words import answer, beyond_controls, cells_done, rare, standing
from .compare import compared
from .guard import Guard
from .library import Library, OpenRun

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
    library = Library(folders)
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

    def page(template: str, status: int = 200, **values: Any) -> HTMLResponse:
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
        pair = one.arm(first, one.run.floor or names[0]), one.arm(second, _leading(one) or names[-1])
        return page("compare.html.j2", run=_told(one), arms=names, **compared(one, *pair))

    return app


def _leading(opened: OpenRun) -> str | None:
    """The arm that knows most, of those that compete."""
    names = [name for name in opened.board["arm"] if not opened.run.is_reference(name)]
    return names[0] if names else None


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
        "has_report": opened.report is not None,
        "plural": run.run["plural"],
        "floor": run.floor,
    }
