"""Pages over records: the runs, their reports, two arms side by side, what the floor misses."""

from __future__ import annotations

from functools import lru_cache

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse, HTMLResponse, Response

from ..reports.mistakes import leading_generator
from .compare import compared
from .pages import Pages
from .play import missed

# A report has its styles and its script inside, and a policy of its own; it may do nothing on this page's behalf.
REPORT_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "sandbox allow-scripts; frame-ancestors 'none'"
)
REMEMBERED = 200  # comparisons


def record_pages(pages: Pages) -> APIRouter:
    """Their routes. Runs are finished, so each page is made once."""
    router = APIRouter()

    @lru_cache
    def of_run(template: str, run_id: str) -> str:
        one = pages.opened(run_id)
        return pages.text(template, run=one.told, **(missed(one) if template == "play.html.j2" else {}))

    @lru_cache(REMEMBERED)
    def of_pair(run_id: str, first: str, second: str) -> str:
        one = pages.opened(run_id)
        return pages.text("compare.html.j2", run=one.told, arms=one.run.arm_names, **compared(one, first, second))

    @router.get("/")
    def runs() -> HTMLResponse:
        return pages.page("runs.html.j2", runs=[one.told for one in pages.library.runs.values()])

    @router.get("/runs/{run_id}")
    def run(run_id: str) -> HTMLResponse:
        return HTMLResponse(of_run("run.html.j2", run_id))

    @router.get("/runs/{run_id}/play")
    def play(run_id: str) -> HTMLResponse:
        return HTMLResponse(of_run("play.html.j2", run_id))

    @router.get("/runs/{run_id}/report")
    def report(run_id: str) -> Response:
        file = pages.opened(run_id).report
        if file is None:
            raise HTTPException(404, "this run has no report.html; write it with: benchmark report RUN_DIR")
        return FileResponse(file, media_type="text/html", headers={"Content-Security-Policy": REPORT_POLICY})

    @router.get("/runs/{run_id}/compare")
    def compare(run_id: str, first: str | None = None, second: str | None = None) -> HTMLResponse:
        one = pages.opened(run_id)
        names = one.run.arm_names
        floor, leading = one.run.floor or names[0], leading_generator(one.run, one.board) or names[-1]
        return HTMLResponse(of_pair(run_id, one.arm(first, floor), one.arm(second, leading)))

    return router
