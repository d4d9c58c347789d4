"""The pages, as an application of FastAPI."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse
from fastapi.staticfiles import StaticFiles

from ..errors import FillbenchError
from ..reports.html import TEMPLATES as REPORT_TEMPLATES
from .guard import Guard
from .model_pages import classify_pages, generate_pages
from .pages import HERE, Pages
from .record_pages import record_pages


def create_app(folders: Sequence[Path], names: Sequence[str] = (), token: str | None = None) -> FastAPI:
    """Pages over the runs in `folders`; `names` are those by which the page may be called besides localhost, `token`
    is what a browser has to know.

    Raises FillbenchError for a folder that holds no run.
    """
    pages = Pages(folders)
    app = FastAPI(title="fillbench", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Guard, names=names, token=token)
    for router in (record_pages(pages), classify_pages(pages), generate_pages(pages)):
        app.include_router(router)

    @app.get("/static/report.css")
    def style() -> FileResponse:
        return FileResponse(REPORT_TEMPLATES / "report.css", media_type="text/css")

    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")

    @app.exception_handler(FillbenchError)
    def told(request: Request, error: FillbenchError) -> HTMLResponse:
        return pages.page("message.html.j2", 400, title="That will not do", text=str(error))

    @app.exception_handler(HTTPException)
    def missing(request: Request, error: HTTPException) -> HTMLResponse:
        return pages.page("message.html.j2", error.status_code, title="Not here", text=error.detail)

    return app
